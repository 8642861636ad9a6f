// This device and whoever uses it: alerts here or not, on duty or not, light or dark.

import { useSignal } from "@preact/signals";
import { ask, session } from "../api";
import { push, turnOff, turnOn } from "../push";
import { dutyText, type Duty, type DutyNow } from "../duty";
import { theme, type Theme } from "../theme";
import { Icon } from "../ui/icons";
import { OwnPassword, SecondFactor } from "./own";
import { Button, Page, Panel, Time, Trouble, useLoaded, useWork, Working } from "../ui/parts";

const PUSH_WORDS = {
  unknown: "Asking the browser …",
  unsupported: "This browser cannot take notifications, or the page is not served over https.",
  denied: "Notifications are forbidden for this page. Allow them in the browser's settings.",
  off: "This device gets no alerts.",
  on: "This device gets alerts, also when Doorward is closed.",
};

export function SettingsScreen() {
  const who = session.value;
  const work = useWork();
  const leave = () =>
    work.run(async () => {
      await ask("/session", { method: "DELETE" });
      session.value = null;
    });
  return (
    <Page title="Settings" class="narrow">
      <Panel title="You">
        <p class="who">
          <Icon name="person" />
          <span>
            <strong>{who?.name || who?.account}</strong>, {who?.role}
            {who?.sites.length ? `, at ${who.sites.join(", ")}` : ""}
          </span>
        </p>
        <Button busy={work.busy} onClick={() => void leave()}>
          Sign out
        </Button>
        <Trouble error={work.error} />
      </Panel>
      <OwnPassword />
      <SecondFactor />
      {(who?.role === "guard" || who?.role === "manager") && <PushPanel />}
      {(who?.role === "guard" || who?.role === "manager") && <DutyPanel />}
      <Panel title="Look">
        <div class="segments" role="group" aria-label="Light or dark">
          {(["auto", "light", "dark"] as Theme[]).map((each) => (
            <button key={each} type="button" aria-pressed={theme.value === each} onClick={() => (theme.value = each)}>
              {each === "auto" ? "As the device" : each === "light" ? "Light" : "Dark"}
            </button>
          ))}
        </div>
      </Panel>
    </Page>
  );
}

interface Tried {
  device: string;
  service: string;
  ok: boolean;
  sentence: string;
}

function PushPanel() {
  const work = useWork();
  const tried = useSignal<Tried[]>([]);
  const test = () =>
    work.run(async () => {
      tried.value = [];
      tried.value = await ask<Tried[]>("/push/test", { body: {}, timeout_ms: 60_000 });
      if (!tried.value.some((each) => each.ok)) return "No push service took it.";
      return "Sent. It should appear within seconds; if it does not, look whether the device is set to silent.";
    });
  const on = push.value === "on";
  return (
    <Panel title="Alerts on this device">
      <p role="status">
        <Icon name={on ? "bell" : "offline"} /> {PUSH_WORDS[push.value]}
      </p>
      <div class="row">
        <Button
          kind={on ? "plain" : "main"}
          icon="bell"
          busy={work.busy}
          disabled={push.value === "unsupported" || push.value === "denied" || push.value === "unknown"}
          onClick={() => void work.run(on ? turnOff : turnOn)}
        >
          {on ? "Turn off" : "Turn on"}
        </Button>
        <Button busy={work.busy} disabled={!on} onClick={() => void test()}>
          Send a test
        </Button>
      </div>
      {work.done && <p role="status">{work.done}</p>}
      <ul class="notes" aria-label="Your devices">
        {tried.value.map((each, at) => (
          <li key={at}>
            <Icon name={each.ok ? "done" : "refused"} /> {each.device}: {each.ok ? "taken by its push service" : each.sentence}
          </li>
        ))}
      </ul>
      <Trouble error={work.error} />
    </Panel>
  );
}

/** A shift from now on: it ends by itself, so nobody stays on duty by forgetting. */
function DutyPanel() {
  const found = useLoaded(() => ask<DutyNow>("/duty"), "duty");
  const work = useWork();
  const hours = useSignal(8);
  const me = found.value?.people.find((each) => each.duty.account === session.value?.account);
  const now = new Date();
  const shift = me?.duty.shifts.find((each) => new Date(each.begin) <= now && now < new Date(each.end));
  const set = (change: Partial<Duty>) =>
    work.run(async () => {
      await ask("/duty", { method: "PUT", body: { ...me!.duty, switch: "roster", ...change } });
      await found.again();
    });
  const begin = () =>
    set({
      shifts: [
        ...me!.duty.shifts.slice(-300),
        { begin: now.toISOString(), end: new Date(now.getTime() + hours.value * 3_600_000).toISOString() },
      ],
    });
  const end = () => set(shift ? { shifts: me!.duty.shifts.filter((each) => each !== shift) } : { switch: "off" });
  return (
    <Panel title="Duty">
      {!found.value && !found.error && <Working what="Asking" />}
      {me && (
        <p role="status">
          {me.on_now ? (
            <>
              You are on duty
              {shift && (
                <>
                  {" "}
                  until <Time at={shift.end} />
                </>
              )}
              : alerts ring you first.
            </>
          ) : (
            "You are not on duty."
          )}
        </p>
      )}
      {me && (
        <div class="row">
          {!me.on_now && (
            <label class="inline">
              for{" "}
              <input
                type="number"
                min={1}
                max={24}
                value={hours.value}
                onInput={(event) => (hours.value = event.currentTarget.valueAsNumber || 8)}
              />{" "}
              hours
            </label>
          )}
          <Button kind={me.on_now ? "plain" : "main"} busy={work.busy} onClick={() => void (me.on_now ? end() : begin())}>
            {me.on_now ? "End my duty" : "Begin duty"}
          </Button>
        </div>
      )}
      {me && (
        <p>
          Your week: {dutyText(me.duty)}. <a href={`#/duty/${encodeURIComponent(me.duty.account)}`}>Change the plan</a>
        </p>
      )}
      {found.value && <p class="hint">On duty now: {found.value.now.join(", ") || "nobody"}</p>}
      <Trouble error={found.error ?? work.error} />
    </Panel>
  );
}
