// The queue: what waits for somebody comes first.

import { useSignal } from "@preact/signals";
import { ask, query, type Alert } from "../api";
import { titleOf } from "../doors";
import { alerts, alertsLoaded, byUrgency, doors } from "../state";
import { Age, BandWord, Button, Chip, Empty, Page, Panel, Time, Trouble, useLoaded, useWork, Working } from "../ui/parts";

export function AlertsScreen() {
  const all = useSignal(false);
  const now = [...alerts.value.values()].filter((each) => each.state !== "closed").sort(byUrgency);
  const open = now.filter((each) => each.state === "open");
  const taken = now.filter((each) => each.state === "acknowledged");
  return (
    <Page
      title="Alerts"
      class="narrow"
      actions={
        <Button kind="quiet" aria-pressed={all.value} onClick={() => (all.value = !all.value)}>
          {all.value ? "Only what is open" : "Earlier ones"}
        </Button>
      }
    >
      {!alertsLoaded.value ? (
        <Working what="Asking for the alerts" />
      ) : (
        <>
          <AlertList title="Open" alerts={open} empty="Nothing waits for anybody." />
          {taken.length > 0 && <AlertList title="Acknowledged" alerts={taken} />}
        </>
      )}
      {all.value && <Earlier />}
    </Page>
  );
}

function AlertList({ title, alerts: listed, empty = "" }: { title: string; alerts: Alert[]; empty?: string }) {
  return (
    <section aria-label={`${title} alerts`}>
      <h2 class="group">
        {title} <span class="num">{listed.length}</span>
      </h2>
      {!listed.length && <Empty>{empty}</Empty>}
      <ol class="alerts">
        {listed.map((alert) => (
          <Line key={alert.id} alert={alert} />
        ))}
      </ol>
    </section>
  );
}

export const placeOf = (alert: Alert): string => {
  const door = doors.value.get(`${alert.site}/${alert.door}`)?.peek();
  return [door ? titleOf(door) : alert.door, alert.zone || door?.zone].filter(Boolean).join(", ");
};

export function toneOf(alert: Alert): string {
  if (alert.state !== "open") return "calm";
  return alert.severity === "critical" || alert.severity === "high" ? "alarm" : "warn";
}

/** With the name instead of an id that says nothing to a guard. */
export const toldOf = (alert: Alert): string =>
  alert.person && alert.person_name ? alert.sentence.replaceAll(alert.person, alert.person_name) : alert.sentence;

const RUNG = ["", "escalated to all guards", "escalated to managers", "escalated to everybody"];
export const rungOf = (alert: Alert): string => RUNG[Math.min(alert.escalation, RUNG.length - 1)]!;

/** How often, when last, and whether it is over: what nobody has seen yet stays on the list when it has ended. */
export function Course({ alert }: { alert: Alert }) {
  return (
    <>
      {alert.folded > 0 && (
        <Chip>
          {alert.folded + 1} times, last <Time at={alert.newest_at} />
        </Chip>
      )}
      {alert.over_at && alert.state !== "closed" && (
        <Chip icon="done">
          over since <Time at={alert.over_at} />
        </Chip>
      )}
    </>
  );
}

function Line({ alert }: { alert: Alert }) {
  return (
    <li class={`alertline tone-${toneOf(alert)} ${alert.state}`}>
      <a href={`#/alerts/${alert.id}`} data-row>
        <strong>{alert.title}</strong>
        <span class="place">{placeOf(alert)}</span>
        <span class="sentence">{toldOf(alert)}</span>
        <span class="meta">
          <BandWord band={alert.band} />
          <span>
            <Time at={alert.at} />
            {alert.state === "open" && (
              <>
                {" "}
                · <Age at={alert.at} /> ago
              </>
            )}
          </span>
          <Course alert={alert} />
          {alert.escalation > 0 && <Chip tone="warn">{rungOf(alert)}</Chip>}
          {alert.by && (
            <Chip icon="person">
              {alert.state} by {alert.by}
            </Chip>
          )}
        </span>
      </a>
    </li>
  );
}

function Earlier() {
  const found = useLoaded(() => ask<Alert[]>("/alerts" + query({ state: "all" })), "all");
  const older = useSignal<Alert[]>([]);
  const end = useSignal(false);
  const work = useWork();
  const closed = [...(found.value ?? []), ...older.value];
  const more = () =>
    work.run(async () => {
      const next = await ask<Alert[]>("/alerts" + query({ state: "all", before: closed.at(-1)?.id }));
      end.value = next.length === 0;
      older.value = [...older.value, ...next];
    });
  return (
    <Panel title="Earlier">
      <Trouble error={found.error ?? work.error} />
      {found.value && <AlertList title="All" alerts={closed} empty="There has been no alert." />}
      {closed.length > 0 && !end.value && (
        <Button busy={work.busy} onClick={() => void more()}>
          Older
        </Button>
      )}
    </Panel>
  );
}
