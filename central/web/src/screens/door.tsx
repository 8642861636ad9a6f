// One door: how it stands, what it may be told, what happens there, what is usual there.

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { ask, type DoorNow, type DoorWhole } from "../api";
import { titleOf } from "../doors";
import { LiveView } from "../live";
import { route } from "../route";
import { doors, events } from "../state";
import { allowed, CommandButton, OrderLog } from "../ui/commands";
import { Icon } from "../ui/icons";
import { Chip, DoorBand, Empty, EventLine, Field, Page, Panel, StateWord, Time, Trouble, useLoaded, Working } from "../ui/parts";
import { peopleIn } from "./doors";

export function DoorScreen() {
  const [site = "", name = ""] = route.value.parts;
  const key = `${site}/${name}`;
  const found = useLoaded(() => ask<DoorWhole>(`/doors/${site}/${name}`), key);
  const door = doors.value.get(key)?.value ?? found.value;
  if (!door)
    return <Page title={name}>{found.error ? <Trouble error={found.error} /> : <Working what="Asking for the door" />}</Page>;
  return <Shown door={door} whole={found.value} />;
}

function Shown({ door, whole }: { door: DoorNow; whole: DoorWhole | null }) {
  const why = useSignal("");
  const may = allowed();
  return (
    <Page
      title={titleOf(door)}
      back="#/doors"
      actions={<a href={`#/events?site=${door.site}&door=${door.door}`}>All its events</a>}
    >
      <div class="columns">
        <Panel title="State">
          <p class="doornow">
            <StateWord door={door} large /> <DoorBand door={door} />
          </p>
          {!door.online && (
            <p class="trouble">
              <Icon name="offline" />
              <span>
                Offline{door.since && " since "}
                {door.since && <Time at={door.since} />}: what stands below is what was last known.
              </span>
            </p>
          )}
          <Facts door={door} />
        </Panel>
        {may.length > 0 && (
          <Panel title="Commands">
            <Field label="Why" hint="Kept with the command, at the door and at the centre.">
              <input
                maxLength={200}
                placeholder="parcel for the lab"
                value={why.value}
                onInput={(event) => (why.value = event.currentTarget.value)}
              />
            </Field>
            <div class="commands">
              {may.map((command) => (
                <CommandButton
                  key={command.name}
                  command={command}
                  site={door.site}
                  door={door.door}
                  why={() => why.value.trim()}
                />
              ))}
            </div>
            <OrderLog site={door.site} door={door.door} />
          </Panel>
        )}
        <Panel title="Live">
          <LiveView
            key={`${door.site}/${door.door}`}
            site={door.site}
            door={door.door}
            why={why.value.trim() || "a look at the door"}
            online={door.online}
          />
        </Panel>
        <Panel title="What happened" class="tall">
          <History door={door} whole={whole} />
        </Panel>
        <Panel title="What is usual here" class="wide">
          <Norms site={door.site} door={door.door} />
        </Panel>
      </div>
    </Page>
  );
}

function Facts({ door }: { door: DoorNow }) {
  const faults = door.health?.faults ?? [];
  return (
    <dl class="facts">
      <dt>Lock</dt>
      <dd>{door.lock ?? "not told"}</dd>
      <dt>Contact</dt>
      <dd>{door.contact ?? "not told"}</dd>
      <dt>Alarm</dt>
      <dd>{door.alarm ?? "not told"}</dd>
      <dt>Mode</dt>
      <dd>{door.mode ?? "not told"}</dd>
      <dt>Risk</dt>
      <dd>{door.online ? door.risk?.sentence || door.risk?.band || "ordinary" : "not known"}</dd>
      <dt>People in view</dt>
      <dd>{peopleIn(door) ?? "not known"}</dd>
      <dt>Access rules</dt>
      <dd>
        {door.access ? `version ${door.access.version}` : "not told"}{" "}
        {door.access?.behind ? (
          <Chip tone="warn" icon="sent">
            newer ones are on their way
          </Chip>
        ) : null}
      </dd>
      <dt>Health</dt>
      <dd>
        {faults.length ? (
          <ul class="faults">
            {faults.map((fault) => (
              <li key={fault}>
                <Icon name="alarm" />
                {fault}
              </li>
            ))}
          </ul>
        ) : door.health ? (
          "no fault"
        ) : (
          "not told"
        )}
      </dd>
    </dl>
  );
}

function History({ door, whole }: { door: DoorNow; whole: DoorWhole | null }) {
  const known = new Set(whole?.events.map((each) => each.n));
  const live = events.value.filter((each) => each.site === door.site && each.door === door.door && !known.has(each.n));
  const all = [...live, ...(whole?.events ?? [])].sort((a, b) => b.n - a.n).slice(0, 50);
  if (!whole && !all.length) return <Working what="Asking" />;
  if (!all.length) return <Empty>Nothing yet.</Empty>;
  return (
    <ol class="events" aria-label="Events of this door, newest first" aria-live="off">
      {all.map((event) => (
        <EventLine key={event.n} event={event} withDoor={false} />
      ))}
    </ol>
  );
}

function Norms({ site, door }: { site: string; door: string }) {
  const made = useSignal<ComponentType<{ site: string; door: string }> | null>(null);
  const failed = useSignal(false);
  useEffect(() => {
    import("../ui/norms").then(
      (found) => (made.value = found.NormPlots),
      () => (failed.value = true),
    );
  }, []);
  const Plots = made.value;
  if (failed.value) return <Empty>The plots could not be loaded.</Empty>;
  return Plots ? <Plots site={site} door={door} /> : <Working what="Loading" />;
}
