// Doors at a glance: whatever wants a look comes first, what is as usual stays quiet.

import { computed, useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { session, type DoorNow } from "../api";
import { bandOf, isAbove, matches, standing, titleOf } from "../doors";
import { refine, route } from "../route";
import { doors, doorsLoaded } from "../state";
import { Icon } from "../ui/icons";
import { Chip, DoorBand, Empty, Page, StateWord, Time, Working } from "../ui/parts";

const FILTERS: [string, string][] = [
  ["", "All"],
  ["attention", "Want a look"],
  ["risk", "At risk"],
  ["offline", "Offline"],
  ["faults", "Faults"],
];
const AS_TABLE = "doorward-doors-as-table";

const mayAdd = (): boolean => ["manager", "installer"].includes(session.value?.role ?? "");

export function DoorsScreen() {
  const search = route.value.search;
  const text = search.get("text") ?? "";
  const only = search.get("only") ?? "";
  const asTable = useSignal(localStorage.getItem(AS_TABLE) === "1");
  const all = [...doors.value.values()];
  // Peeked at, so that news of one door draws its card and not the list; order is made anew with each resynchronisation.
  const shown = text || only ? all.filter((each) => matches(each.value, text, only)) : all;
  const show = (next: { text?: string; only?: string }) => {
    const told = new URLSearchParams(Object.entries({ text, only, ...next }).filter(([, value]) => value));
    refine("/doors" + (told.size ? "?" + told.toString() : ""));
  };
  const turn = () => {
    asTable.value = !asTable.value;
    localStorage.setItem(AS_TABLE, asTable.value ? "1" : "0");
  };
  return (
    <Page
      title="Doors"
      actions={
        <>
          {mayAdd() && (
            <a class="button" href="#/adddoor">
              <Icon name="plus" /> Add a door
            </a>
          )}
          <button type="button" class="button quiet" aria-pressed={asTable.value} onClick={turn}>
            <Icon name={asTable.value ? "grid" : "list"} />
            <span>{asTable.value ? "Grid" : "Table"}</span>
          </button>
        </>
      }
    >
      <Sums />
      <div class="filters" role="search">
        <input
          type="search"
          aria-label="Search doors by name, zone or state"
          placeholder="Name, zone, state …"
          value={text}
          onInput={(event) => show({ text: event.currentTarget.value })}
        />
        <div class="segments" role="group" aria-label="Show">
          {FILTERS.map(([value, label]) => (
            <button key={value} type="button" aria-pressed={only === value} onClick={() => show({ only: value })}>
              {label}
            </button>
          ))}
        </div>
        <span class="hint" role="status">
          {shown.length} of {all.length}
        </span>
      </div>
      {!doorsLoaded.value ? (
        <Working what="Asking for the doors" />
      ) : (
        <Found shown={shown} asTable={asTable.value} any={all.length > 0} />
      )}
    </Page>
  );
}

function Found({ shown, asTable, any }: { shown: Signal<DoorNow>[]; asTable: boolean; any: boolean }) {
  if (!any) return <Empty>No door has been heard yet. A door appears here as soon as it connects to the broker.</Empty>;
  if (!shown.length) return <Empty>No door fits.</Empty>;
  return asTable ? <DoorTable shown={shown} /> : <Grid shown={shown} />;
}

/** What a manager asks first: how many are not as they should be. */
function Sums() {
  const all = [...doors.value.values()].map((each) => each.value);
  const number = (test: (door: DoorNow) => boolean) => all.filter(test).length;
  const sums: [string, number, string, string][] = [
    ["alarms", number((door) => standing(door).tone === "alarm"), "alarm", "alarm"],
    ["at risk", number((door) => door.online && isAbove(bandOf(door))), "warn", "raised"],
    ["offline", number((door) => !door.online), "lost", "offline"],
    ["with faults", number((door) => door.health?.ok === false), "warn", "unknown"],
    ["open", number((door) => door.online && door.contact === "open"), "note", "open"],
  ];
  return (
    <ul class="sums" aria-label="Sums">
      {sums.map(([label, count, tone, icon]) => (
        <li key={label} class={count ? `tone-${tone}` : "none"}>
          <Icon name={icon} />
          <b>{count}</b> {label}
        </li>
      ))}
    </ul>
  );
}

/** More than fit on a screen: these are drawn at once, the others in the next frame. What wants a look comes first. */
const AT_ONCE = 40;

function Grid({ shown }: { shown: Signal<DoorNow>[] }) {
  const all = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => (all.value = true), 50);
    return () => clearTimeout(timer);
  }, []);
  return (
    <ul class="doorgrid">
      {(all.value ? shown : shown.slice(0, AT_ONCE)).map((door) => (
        <Card key={`${door.peek().site}/${door.peek().door}`} door={door} />
      ))}
    </ul>
  );
}

const severalSites = computed(() => new Set([...doors.value.values()].map((each) => each.peek().site)).size > 1);
const whereOf = (door: DoorNow): string => [severalSites.value ? door.site : "", door.zone].filter(Boolean).join(" · ");

function Card({ door: given }: { door: Signal<DoorNow> }) {
  const door = given.value;
  const now = standing(door);
  return (
    <li class={`doorcard tone-${now.tone} ${door.online ? `risk-${bandOf(door)}` : ""}`}>
      <a href={`#/door/${door.site}/${door.door}`} data-row>
        <span class="name">{titleOf(door)}</span>
        <span class="where">{whereOf(door)}</span>
        <StateWord door={door} />
        <span class="detail">{detailOf(door)}</span>
        <span class="chips">
          <DoorBand door={door} />
          {door.online && door.health?.ok === false && (
            <Chip tone="warn" icon="unknown">
              {door.health.faults.length === 1 ? "1 fault" : `${door.health.faults.length} faults`}
            </Chip>
          )}
        </span>
        <span class="last">
          {door.last ? (
            <>
              <Time at={door.last.at} /> {door.last.sentence}
            </>
          ) : (
            "no event yet"
          )}
        </span>
      </a>
    </li>
  );
}

function detailOf(door: DoorNow) {
  const detail = standing(door).detail;
  if (door.online || !door.since) return detail;
  return (
    <>
      since <Time at={door.since} />, {detail}
    </>
  );
}

function DoorTable({ shown }: { shown: Signal<DoorNow>[] }) {
  return (
    <div class="tablewrap" tabIndex={0} role="region" aria-label="Doors">
      <table>
        <thead>
          <tr>
            <th scope="col">Door</th>
            <th scope="col">Where</th>
            <th scope="col">State</th>
            <th scope="col">Risk</th>
            <th scope="col">People in view</th>
            <th scope="col">Last event</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((door) => (
            <Row key={`${door.peek().site}/${door.peek().door}`} door={door} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

export const peopleIn = (door: DoorNow): number | null =>
  door.online && door.people?.zones ? Object.values(door.people.zones).reduce((sum, each) => sum + each, 0) : null;

function Row({ door: given }: { door: Signal<DoorNow> }) {
  const door = given.value;
  const people = peopleIn(door);
  return (
    <tr>
      <th scope="row">
        <a href={`#/door/${door.site}/${door.door}`} data-row>
          {titleOf(door)}
        </a>
      </th>
      <td>{whereOf(door)}</td>
      <td>
        <StateWord door={door} /> <small>{detailOf(door)}</small>
      </td>
      <td>{door.online ? <DoorBand door={door} /> : "—"}</td>
      <td class="num">{people ?? "—"}</td>
      <td>
        {door.last ? (
          <>
            <Time at={door.last.at} /> {door.last.sentence}
          </>
        ) : (
          "—"
        )}
      </td>
    </tr>
  );
}
