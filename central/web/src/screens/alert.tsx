// From alert to decision in one screen. A guard on a phone, at three in the morning: what, where, who, why; and four large buttons.

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { ask, doorKey, query, Refused, type Alert, type DoorEvent, type DoorNow } from "../api";
import { isHeldShut, titleOf } from "../doors";
import { follows, isOurs } from "../keys";
import { LiveView } from "../live";
import { alerts, doors, takeAlert } from "../state";
import { Clip } from "../ui/clip";
import { CommandButton, LET_IN, LOCK_DOWN, mayCommand, OrderLog, REFUSE } from "../ui/commands";
import { Icon } from "../ui/icons";
import {
  Age,
  BandWord,
  Button,
  Chip,
  DoorBand,
  Page,
  Panel,
  StateWord,
  Time,
  Trouble,
  useLoaded,
  useWork,
  Working,
} from "../ui/parts";
import { Reasons } from "../ui/reasons";
import { Course, placeOf, toneOf, rungOf, toldOf } from "./alerts";

export function AlertScreen({ id }: { id: string }) {
  const held = alerts.value.get(id);
  const asked = useLoaded(() => find(id), id);
  const alert = held ?? asked.value;
  if (!alert) {
    return (
      <Page title="Alert" back="#/alerts">
        {asked.error ? <Trouble error={asked.error} /> : <Working what="Asking for the alert" />}
      </Page>
    );
  }
  return <Shown alert={alert} />;
}

/** One that was closed is no longer in the queue: look among the earlier ones. */
async function find(id: string): Promise<Alert> {
  const all = await ask<Alert[]>("/alerts" + query({ state: "all", before: /^\d+$/.test(id) ? Number(id) + 1 : undefined }));
  const found = all.find((each) => String(each.id) === id);
  if (!found) throw new Refused(404, "no_such_alert", `there is no alert ${id}, or it is older than what the centre keeps`);
  return found;
}

function Shown({ alert }: { alert: Alert }) {
  const door = doors.value.get(doorKey(alert))?.value ?? null;
  const event = useLoaded(async () => (alert.event_n ? ask<DoorEvent>(`/events/${alert.event_n}`) : null), String(alert.event_n));
  const why = `alert ${alert.id}: ${alert.title}`.slice(0, 200);
  return (
    <Page title={alert.title} back="#/alerts" class="alertpage">
      <div class={`alerthead tone-${toneOf(alert)}`}>
        <p class="sentence">{toldOf(alert)}</p>
        <p class="meta">
          <a class="place" href={`#/door/${alert.site}/${alert.door}`}>
            <Icon name="door" />
            {placeOf(alert)}
          </a>
          <span>
            <Time at={alert.at} />
            {alert.state !== "closed" && (
              <>
                {" · "}
                <Age at={alert.at} /> ago
              </>
            )}
          </span>
          <BandWord band={alert.band} />
          {alert.decide_by && alert.state !== "closed" && <DecideBy until={alert.decide_by} />}
          <Course alert={alert} />
          <Standing alert={alert} />
        </p>
      </div>
      <div class="alertbody">
        <div class="look">
          <LiveView key={doorKey(alert)} site={alert.site} door={alert.door} why={why} online={door?.online ?? false} />
          {alert.event_n ? <Clip site={alert.site} door={alert.door} n={alert.event_n} why={why} /> : null}
        </div>
        <div class="facts">
          <Panel title="Why">
            <Reasons event={event.value} sentences={alert.reasons} />
            {alert.event_n ? (
              <a class="more" href={`#/event/${alert.event_n}`}>
                The whole explanation
              </a>
            ) : null}
          </Panel>
          <Panel title="Who">
            <Who alert={alert} event={event.value} />
          </Panel>
          {door && (
            <Panel title="The door now">
              <p class="doornow">
                <StateWord door={door} large /> <DoorBand door={door} />
              </p>
              <a class="more" href={`#/door/${door.site}/${door.door}`}>
                {isHeldShut(door) && mayCommand() ? "Release and other commands" : "The door and its commands"}
              </a>
            </Panel>
          )}
          <Panel title="Where">
            <Where alert={alert} door={door} />
          </Panel>
          <Notes alert={alert} />
        </div>
      </div>
      <Decide alert={alert} door={door} why={why} />
    </Page>
  );
}

function Standing({ alert }: { alert: Alert }) {
  if (alert.state === "open")
    return (
      <Chip tone="alarm" icon="bell">
        open{alert.escalation > 0 ? `, ${rungOf(alert)}` : ""}
      </Chip>
    );
  return (
    <Chip icon="person">
      {alert.state}
      {alert.by ? ` by ${alert.by}` : " by itself"}
    </Chip>
  );
}

/** Somebody stands there and waits. */
function DecideBy({ until }: { until: string }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil((new Date(until).getTime() - now.value) / 1000);
  if (left <= 0) return null;
  return (
    <Chip tone="alarm" icon="no_answer">
      decide within {left} s
    </Chip>
  );
}

function Who({ alert, event }: { alert: Alert; event: DoorEvent | null }) {
  const id = alert.person;
  // Looking a person up is on record; a guard who has this alert before them may know whose fob it was.
  const asked = useLoaded(async () => (id ? (await ask<{ name: string }>(`/people/${encodeURIComponent(id)}`)).name : null), id);
  if (!id) return <p>Not known: no fob of theirs was read in this.</p>;
  const reasons = (event?.data["reasons"] as string[] | undefined) ?? [];
  const doubted = reasons.includes("face_mismatch") || reasons.includes("presentation_attack");
  return (
    <p class="who">
      <Icon name="person" />
      <span>
        The fob of{" "}
        <a href={`#/people/${encodeURIComponent(id)}`}>
          <strong>{asked.value ?? (alert.person_name || id)}</strong>
        </a>
        {doubted && <b class="doubt"> — the face is not theirs</b>}
      </span>
    </p>
  );
}

function Where({ alert, door }: { alert: Alert; door: DoorNow | null }) {
  const made = useSignal<ComponentType<{ site: string; door: string }> | null>(null);
  useEffect(() => {
    void import("./map").then(
      (found) => (made.value = found.MapOfDoor),
      () => undefined,
    );
  }, []);
  const Small = made.value;
  return (
    <>
      <p>
        {door ? titleOf(door) : alert.door}
        {(alert.zone || door?.zone) && `, ${alert.zone || door?.zone}`} <small>{alert.site}</small>
      </p>
      {Small && <Small site={alert.site} door={alert.door} />}
    </>
  );
}

async function change(alert: Alert, what: string, body: object = {}): Promise<void> {
  const told = await ask<Alert | null>(`/alerts/${alert.id}/${what}`, { body });
  if (told && told.id !== undefined) takeAlert(told);
}

/** Always within the thumb's reach. */
function Decide({ alert, door, why }: { alert: Alert; door: DoorNow | null; why: string }) {
  const work = useWork();
  const acknowledge = () => work.run(() => change(alert, "acknowledge"));
  const open = alert.state === "open";
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (!isOurs(event) || follows("g")) return;
      if (event.key === "a" && open) void acknowledge();
      if (event.key === "n") {
        event.preventDefault();
        document.getElementById("note")?.focus();
      }
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [open]);
  const of = { site: alert.site, door: alert.door, why: () => why, big: true };
  return (
    <section class="decide" aria-label="Decide">
      <OrderLog site={alert.site} door={alert.door} most={2} />
      <Trouble error={work.error} />
      {door && !door.online && mayCommand() && <p class="hint">The door is offline: commands will not reach it.</p>}
      <div class="bigbuttons">
        {mayCommand() && (
          <>
            <CommandButton command={LET_IN} {...of} />
            <CommandButton command={REFUSE} {...of} />
            <CommandButton command={LOCK_DOWN} {...of} />
          </>
        )}
        {alert.state !== "closed" && (
          <Button class="big" icon="done" disabled={!open} busy={work.busy} onClick={() => void acknowledge()}>
            {open ? "Acknowledge" : "Acknowledged"}
          </Button>
        )}
      </div>
    </section>
  );
}

function Notes({ alert }: { alert: Alert }) {
  const text = useSignal("");
  const work = useWork();
  const send = (what: string, body: object) =>
    work.run(async () => {
      await change(alert, what, body);
      text.value = "";
    });
  const told = text.value.trim();
  return (
    <Panel title="Notes">
      <ol class="notes">
        {alert.notes.map((note) => (
          <li key={note.at + note.text}>
            <Time at={note.at} /> <b>{note.by}</b> <span>{note.text}</span>
          </li>
        ))}
      </ol>
      <form
        class="noteform"
        onSubmit={(event) => {
          event.preventDefault();
          if (told) void send("note", { text: told });
        }}
      >
        <input
          id="note"
          aria-label="Note"
          placeholder="What you saw or did"
          maxLength={500}
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
        />
        <Button type="submit" disabled={!told} busy={work.busy}>
          Note
        </Button>
      </form>
      <div class="row">
        {alert.state !== "closed" && (
          <>
            <Button icon="raised" busy={work.busy} onClick={() => void send("escalate", {})}>
              Escalate
            </Button>
            <Button icon="close" busy={work.busy} onClick={() => void send("close", told ? { note: told } : {})}>
              {told ? "Close with this note" : "Close"}
            </Button>
          </>
        )}
      </div>
      <Trouble error={work.error} />
    </Panel>
  );
}
