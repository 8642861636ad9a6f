// What happened: as it comes, searchable, and one event with everything that explains it.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, query, type DoorEvent } from "../api";
import { titleOf } from "../doors";
import { refine, route } from "../route";
import { doors, events } from "../state";
import { wholeTime } from "../times";
import { Icon } from "../ui/icons";
import { Button, Chip, Empty, EventLine, Field, Page, Panel, Time, Trouble, useLoaded, useWork, Working } from "../ui/parts";
import { Reasons, risksOf } from "../ui/reasons";

const KINDS: [string, string][] = [
  ["", "Everything"],
  ["access.denied", "Refused"],
  ["access.granted", "Let in"],
  ["access.held", "Waits for a guard"],
  ["risk.raised", "Risk raised"],
  ["door.forced", "Forced"],
  ["door.held", "Held open"],
  ["command.done", "Commands done"],
  ["command.refused", "Commands refused"],
  ["bundle.applied", "New rules"],
];

const nameOf = (event: DoorEvent): string => {
  const door = doors.value.get(`${event.site}/${event.door}`)?.peek();
  return door ? titleOf(door) : event.door;
};

interface Found {
  events: DoorEvent[];
  more: boolean;
}

export function EventsScreen() {
  const told = route.value.search;
  const filter = {
    text: told.get("text") ?? "",
    kind: told.get("kind") ?? "",
    site: told.get("site") ?? "",
    door: told.get("door") ?? "",
    person: told.get("person") ?? "",
  };
  const asked = query(filter);
  const found = useLoaded(() => ask<Found>("/events" + query({ ...filter, limit: 100 })), asked);
  const older = useSignal<DoorEvent[]>([]);
  const more = useSignal<boolean | null>(null);
  const work = useWork();
  useEffect(() => {
    older.value = [];
    more.value = null;
  }, [asked]);
  const show = (next: Partial<typeof filter>) => refine("/events" + query({ ...filter, ...next }));
  const first = found.value?.events ?? [];
  // What came since is put in front when nothing is filtered by words: words are searched by the centre.
  const live =
    filter.text || filter.person ? [] : events.value.filter((each) => each.n > (first[0]?.n ?? 0) && fits(each, filter));
  const all = [...live, ...first, ...older.value];
  const load = () =>
    work.run(async () => {
      const next = await ask<Found>("/events" + query({ ...filter, before: all.at(-1)?.n, limit: 100 }));
      older.value = [...older.value, ...next.events];
      more.value = next.more;
    });
  return (
    <Page title="Events">
      <div class="filters" role="search">
        <SearchField value={filter.text} set={(text) => show({ text })} label="Search events" />
        <Field label="Kind">
          <select value={filter.kind} onChange={(event) => show({ kind: event.currentTarget.value })}>
            {KINDS.map(([value, label]) => (
              <option key={value} value={value}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <Field label="Door">
          <select
            value={filter.door ? `${filter.site}/${filter.door}` : ""}
            onChange={(event) => show(doorIn(event.currentTarget.value))}
          >
            <option value="">All doors</option>
            {[...doors.value.entries()].map(([key, door]) => (
              <option key={key} value={key}>
                {titleOf(door.peek())}
              </option>
            ))}
          </select>
        </Field>
        {filter.person && (
          <Button icon="close" kind="quiet" onClick={() => show({ person: "" })}>
            One person only
          </Button>
        )}
      </div>
      <Trouble error={found.error ?? work.error} />
      {!found.value && !found.error && <Working what="Searching" />}
      {found.value && !all.length && <Empty>Nothing of this kind is on record.</Empty>}
      <ol class="events" aria-label="Events, newest first">
        {all.map((event) => (
          <EventLine key={event.n} event={event} name={nameOf(event)} />
        ))}
      </ol>
      {(more.value ?? found.value?.more) && (
        <Button busy={work.busy} onClick={() => void load()}>
          Older
        </Button>
      )}
    </Page>
  );
}

function doorIn(key: string): { site: string; door: string } {
  const [site = "", door = ""] = key.split("/");
  return { site, door };
}

function fits(event: DoorEvent, filter: { kind: string; site: string; door: string }): boolean {
  return (
    (!filter.kind || event.kind === filter.kind) && (!filter.door || (event.door === filter.door && event.site === filter.site))
  );
}

/** Asks when somebody has stopped typing for a moment. */
export function SearchField({ value, set, label }: { value: string; set: (text: string) => void; label: string }) {
  const typed = useSignal(value);
  useEffect(() => {
    if (typed.value === value) return;
    const timer = setTimeout(() => set(typed.value), 250);
    return () => clearTimeout(timer);
  }, [typed.value]);
  return (
    <Field label={label}>
      <input type="search" value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
    </Field>
  );
}

/** A time that is not certain is never shown as if it were. */
function doubt(event: DoorEvent): string {
  const said = event.told_at ? ` Its clock said ${wholeTime(new Date(event.told_at))}.` : "";
  if (event.clock === "unsure") return `Time not certain: the door did not know what time it was.${said}`;
  if (event.clock === "corrected") return `Corrected: the door did not know what time it was then.${said}`;
  return "";
}

export function EventScreen() {
  const [n = ""] = route.value.parts;
  const found = useLoaded(() => ask<DoorEvent>(`/events/${n}`), n);
  const event = found.value;
  if (!event)
    return <Page title={`Event ${n}`}>{found.error ? <Trouble error={found.error} /> : <Working what="Asking" />}</Page>;
  return (
    <Page title={event.sentence || event.kind} back="#/events">
      <div class="columns">
        <Panel title="What happened">
          <dl class="facts">
            <dt>When</dt>
            <dd>
              {event.clock === "unsure" && "at the latest "}
              <Time at={event.at} /> <small>{wholeTime(new Date(event.at))}</small>
              {doubt(event) && <p>{doubt(event)}</p>}
            </dd>
            <dt>Door</dt>
            <dd>
              <a href={`#/door/${event.site}/${event.door}`}>{nameOf(event)}</a> <small>{event.site}</small>
            </dd>
            <dt>Kind</dt>
            <dd>
              <code>{event.kind}</code>{" "}
              {event.alert && (
                <Chip tone="alarm" icon="bell">
                  alert
                </Chip>
              )}
            </dd>
            {event.person && (
              <>
                <dt>Cardholder</dt>
                <dd>
                  <a href={`#/people/${encodeURIComponent(event.person)}`}>{event.person}</a>
                </dd>
              </>
            )}
            <dt>Event</dt>
            <dd>
              <code>{event.id}</code>
            </dd>
          </dl>
        </Panel>
        {risksOf(event).length > 0 && (
          <Panel title="Measured, and what is usual here">
            <Reasons event={event} />
          </Panel>
        )}
        {event.explain && event.explain.length > 0 && (
          <Panel title="Why" class="wide">
            <pre class="explain">{event.explain.join("\n")}</pre>
          </Panel>
        )}
        <Panel title="As the door told it" class="wide">
          <details>
            <summary>
              <Icon name="list" /> All data
            </summary>
            <pre class="explain">{JSON.stringify(event.data, null, 2)}</pre>
          </details>
        </Panel>
      </div>
    </Page>
  );
}
