// Where and when somebody may pass: access profiles, the schedules that they follow, and the days that are not like others.

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { ask, besides, managesAll } from "../api";
import { go, route } from "../route";
import { doors, resyncs } from "../state";
import { intervalsOf, NEVER, weekOf, weekText, type Interval, type Span } from "../week";
import { Icon } from "../ui/icons";
import {
  Button,
  Chip,
  Empty,
  Field,
  FieldError,
  Page,
  Panel,
  SaveBar,
  Trouble,
  Twice,
  useDraft,
  useLoaded,
  useWork,
  Working,
} from "../ui/parts";
import { Times, WeekEditor, WeekGrid } from "../ui/week";

interface Hours {
  from_min: number;
  until_min: number;
}
interface SpecialDays {
  calendar: string;
  hours: Hours[];
}
interface Schedule {
  id: string;
  zone: string;
  intervals: Interval[];
  holidays: string[];
  special_days: SpecialDays[];
  first_day: string | null;
  last_day: string | null;
}
interface Calendar {
  id: string;
  days: string[];
}
interface Profile {
  id: string;
  doors: string[];
  schedule: string;
  factors: "credential" | "credential_and_pin";
  begins_unlock: boolean;
}
interface Book {
  profiles: Profile[];
  schedules: Schedule[];
  calendars: Calendar[];
}
type Kind = "profile" | "schedule" | "calendar";
const PATHS: Record<Kind, keyof Book> = { profile: "profiles", schedule: "schedules", calendar: "calendars" };
const WORDS: Record<Kind, string> = { profile: "access profile", schedule: "schedule", calendar: "calendar" };
const NEW = "new";
const ID_HINT = "Letters, digits, '.', '_' and '-'. It stays as it is.";
const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const FACTORS = { credential: "a fob", credential_and_pin: "a fob and a PIN" };

const BLANK_SCHEDULE: Schedule = {
  id: "",
  zone: HERE,
  intervals: [],
  holidays: [],
  special_days: [],
  first_day: null,
  last_day: null,
};
const BLANK_PROFILE: Profile = { id: "", doors: [], schedule: "", factors: "credential", begins_unlock: false };

async function asked(): Promise<Book> {
  const [profiles, schedules, calendars] = await Promise.all([
    ask<Profile[]>("/profiles"),
    ask<Schedule[]>("/schedules"),
    ask<Calendar[]>("/calendars"),
  ]);
  return {
    profiles: profiles.map((each) => ({ ...BLANK_PROFILE, ...each })),
    schedules: schedules.map((each) => ({ ...BLANK_SCHEDULE, ...each })),
    calendars: calendars.map((each) => ({ ...each, days: [...each.days].sort() })),
  };
}

export function AccessScreen() {
  const [kind = "", id = ""] = route.value.parts;
  const found = useLoaded(asked, "book");
  const book = found.value;
  if (!book)
    return <Page title="Access">{found.error ? <Trouble error={found.error} /> : <Working what="Asking for the rules" />}</Page>;
  if (kind === "profile" || kind === "schedule" || kind === "calendar")
    return <One key={`${kind}/${id}`} kind={kind} id={id} book={book} again={found.again} />;
  return <All book={book} />;
}

// -- all of them ----------------------------------------------------------------------------------------------------------------

function All({ book }: { book: Book }) {
  return (
    <Page title="Access">
      <p class="hint">
        A person has profiles; a profile opens doors while its schedule is open.
        {managesAll() ? " Doors get each change within seconds." : " Managers of all sites change them."}
      </p>
      <Listed kind="profile" title="Access profiles" none="No profile yet: nobody can be let in by one.">
        {book.profiles.map((each) => (
          <Line key={each.id} kind="profile" id={each.id}>
            <span>
              <Icon name="door" /> {doorsText(each.doors)}
            </span>
            <span>
              <Icon name="no_answer" /> {each.schedule}
            </span>
            {each.factors === "credential_and_pin" && <Chip icon="key">fob and PIN</Chip>}
          </Line>
        ))}
      </Listed>
      <Listed kind="schedule" title="Schedules" none="No schedule yet. A profile needs one.">
        {book.schedules.map((each) => (
          <Line key={each.id} kind="schedule" id={each.id}>
            <span>{weekText(weekOf(each.intervals))}</span>
            <span class="hint">{each.zone}</span>
            {(each.special_days.length > 0 || each.holidays.length > 0) && <Chip>holidays</Chip>}
          </Line>
        ))}
      </Listed>
      <Listed kind="calendar" title="Holidays" none="No calendar yet. One holds the days on which other hours count.">
        {book.calendars.map((each) => (
          <Line key={each.id} kind="calendar" id={each.id}>
            <span>
              {each.days.length} {each.days.length === 1 ? "day" : "days"}
            </span>
            <span class="hint">{comingText(each.days)}</span>
          </Line>
        ))}
      </Listed>
    </Page>
  );
}

function Listed({ kind, title, none, children }: { kind: Kind; title: string; none: string; children: ComponentChildren[] }) {
  const actions = managesAll() && (
    <a class="button" href={`#/access/${kind}/${NEW}`} aria-label={`New ${WORDS[kind]}`}>
      <Icon name="plus" /> New
    </a>
  );
  return (
    <Panel title={title} actions={actions}>
      {children.length ? <ul class="rules">{children}</ul> : <Empty>{none}</Empty>}
    </Panel>
  );
}

function Line({ kind, id, children }: { kind: Kind; id: string; children: ComponentChildren }) {
  return (
    <li>
      <a href={`#/access/${kind}/${encodeURIComponent(id)}`} data-row>
        <strong>{id}</strong>
        {children}
      </a>
    </li>
  );
}

function doorsText(words: string[]): string {
  if (words.includes("*")) return "every door";
  const shown = words.slice(0, 4).map(doorText).join(", ");
  return (shown || "no door") + (words.length > 4 ? ` and ${words.length - 4} more` : "");
}

function doorText(word: string): string {
  if (word === "*") return "every door";
  if (word.endsWith("/*")) return `every door of ${word.slice(0, -2)}`;
  return doors.value.get(word)?.value.name ?? word;
}

const today = (): string => new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 10);
const dayText = (day: string): string =>
  new Date(`${day}T12:00`).toLocaleDateString(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });

function comingText(days: string[]): string {
  const next = days.find((each) => each >= today());
  return next ? `next: ${dayText(next)}` : "all of them are past";
}

// -- one of them ----------------------------------------------------------------------------------------------------------------

interface Form<T> {
  value: T;
  set: (change: Partial<T>) => void;
  wrong: (field: string) => string;
  book: Book;
}

const FIELDS: Record<Kind, string[]> = {
  profile: ["id", "doors", "schedule", "factors"],
  schedule: ["id", "zone", "intervals", "holidays", "special_days", "first_day", "last_day"],
  calendar: ["id", "days"],
};

interface OneProps {
  kind: Kind;
  id: string;
  book: Book;
  again: () => Promise<void>;
}

function One({ kind, id, book, again }: OneProps) {
  const fresh = id === NEW;
  const all: { id: string }[] = book[PATHS[kind]];
  const blank = { profile: BLANK_PROFILE, schedule: BLANK_SCHEDULE, calendar: { id: "", days: [] } }[kind];
  const kept = fresh ? blank : all.find((each) => each.id === id);
  if (!kept)
    return (
      <Page title={id} back="#/access">
        <Empty>There is no {WORDS[kind]} of that name (any more).</Empty>
      </Page>
    );
  return <Editor kind={kind} fresh={fresh} kept={kept as Profile & Schedule & Calendar} book={book} again={again} />;
}

type Rule = Profile & Schedule & Calendar;

const SAVED = "Saved. Doors get it within seconds.";
/** What was made last: its own screen says so, once. */
let made = "";

function saidOf(rule: string): string {
  if (made !== rule) return "";
  made = "";
  return SAVED;
}

function Editor({ kind, fresh, kept, book, again }: { fresh: boolean; kept: Rule } & Omit<OneProps, "id">) {
  const draft = useDraft<Rule>(`${kind}/${fresh ? NEW : kept.id}`, kept);
  const work = useWork(saidOf(`${kind}/${kept.id}`));
  const wrong = besides(work.error, FIELDS[kind]);
  const id = draft.value.id.trim();
  const save = () =>
    work.run(async () => {
      await ask(`/${PATHS[kind]}/${encodeURIComponent(id)}` + (fresh ? "?new=1" : ""), {
        method: "PUT",
        body: { ...draft.value, id },
      });
      draft.drop();
      await again();
      if (fresh) {
        made = `${kind}/${id}`;
        go(`/access/${kind}/${encodeURIComponent(id)}`);
      }
      return SAVED;
    });
  const away = () =>
    work.run(async () => {
      await ask(`/${PATHS[kind]}/${encodeURIComponent(kept.id)}`, { method: "DELETE" });
      draft.drop();
      resyncs.value++;
      go("/access");
    });
  const form = { value: draft.value, set: draft.set, wrong: wrong.of, book };
  const may = managesAll();
  return (
    <Page title={fresh ? `New ${WORDS[kind]}` : kept.id} back="#/access" class="narrow">
      {fresh && (
        <Field label="Id" hint={ID_HINT} error={wrong.of("id")}>
          <input
            maxLength={64}
            autocapitalize="none"
            spellcheck={false}
            value={draft.value.id}
            onInput={(event) => draft.set({ id: event.currentTarget.value } as Partial<Rule>)}
          />
        </Field>
      )}
      <fieldset class="stack" disabled={!may}>
        {kind === "profile" && <ProfileForm {...(form as unknown as Form<Profile>)} may={may} />}
        {kind === "schedule" && <ScheduleForm {...(form as unknown as Form<Schedule>)} may={may} />}
        {kind === "calendar" && <CalendarForm {...(form as unknown as Form<Calendar>)} may={may} />}
      </fieldset>
      <Trouble error={wrong.rest} />
      {may && !fresh && (
        <div class="row">
          <Twice sure="Really delete it?" busy={work.busy} act={() => void away()}>
            Delete this {WORDS[kind]}
          </Twice>
        </div>
      )}
      {may ? (
        <SaveBar changed={draft.changed} ready={id !== ""} work={work} save={() => void save()} drop={draft.drop} />
      ) : (
        <p class="hint">A manager of all sites may change it.</p>
      )}
    </Page>
  );
}

// -- a schedule -----------------------------------------------------------------------------------------------------------------

const ZONES = Intl.supportedValuesOf("timeZone");

function ScheduleForm({ value, set, wrong, book, may }: Form<Schedule> & { may: boolean }) {
  const week = weekOf(value.intervals);
  const followed = book.profiles.filter((each) => each.schedule === value.id && value.id);
  const change = (next: typeof week) => set({ intervals: intervalsOf(next) });
  return (
    <>
      <Panel title="The week">
        <p>{weekText(week)}</p>
        {may ? <WeekEditorOf value={value} change={change} /> : <WeekGrid week={week} label="Open hours of the week" />}
        <FieldError error={wrong("intervals")} />
        <Field label="Time zone of the building" error={wrong("zone")}>
          <input
            list="zones"
            autocapitalize="none"
            spellcheck={false}
            maxLength={64}
            value={value.zone}
            onInput={(event) => set({ zone: event.currentTarget.value.trim() })}
          />
        </Field>
        <datalist id="zones">
          {ZONES.map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
      </Panel>
      <Panel title="Holidays">
        <Specials value={value} set={set} calendars={book.calendars} />
        <FieldError error={wrong("special_days")} />
        <details open={value.holidays.length > 0}>
          <summary>Days of its own on which it is closed ({value.holidays.length})</summary>
          <DayList days={value.holidays} set={(holidays) => set({ holidays })} label="Closed on" />
        </details>
        <FieldError error={wrong("holidays")} />
      </Panel>
      <Panel title="From when until when">
        <div class="filters">
          <Field label="First day" error={wrong("first_day")}>
            <input
              type="date"
              value={value.first_day ?? ""}
              onInput={(event) => set({ first_day: event.currentTarget.value || null })}
            />
          </Field>
          <Field label="Last day" error={wrong("last_day")}>
            <input
              type="date"
              value={value.last_day ?? ""}
              onInput={(event) => set({ last_day: event.currentTarget.value || null })}
            />
          </Field>
        </div>
        <p class="hint">Empty: from ever, for ever.</p>
      </Panel>
      {value.id && (
        <p class="hint">
          {followed.length ? "Followed by the profiles " : "No profile follows it."}
          <Links kind="profile" to={followed} />
        </p>
      )}
    </>
  );
}

function Links({ kind, to }: { kind: Kind; to: { id: string }[] }) {
  return (
    <>
      {to.map((each, at) => (
        <span key={each.id}>
          {at > 0 && ", "}
          <a href={`#/access/${kind}/${encodeURIComponent(each.id)}`}>{each.id}</a>
        </span>
      ))}
    </>
  );
}

/** While a time is typed that ends before it begins, the fields show it, and the centre refuses it. */
function WeekEditorOf({ value, change }: { value: Schedule; change: (week: ReturnType<typeof weekOf>) => void }) {
  const raw = NEVER.map((_, day) =>
    value.intervals.filter((each) => each.days.includes(day)).map((each): Span => [each.from_min, each.until_min]),
  );
  return <WeekEditor week={raw} set={change} label="Open hours of the week" />;
}

function Specials({ value, set, calendars }: { value: Schedule; set: Form<Schedule>["set"]; calendars: Calendar[] }) {
  const put = (at: number, hours: readonly Span[]) =>
    set({
      special_days: value.special_days.map((each, number) =>
        number === at ? { ...each, hours: hours.map(([from_min, until_min]) => ({ from_min, until_min })) } : each,
      ),
    });
  const others = calendars.filter((each) => !value.special_days.some((special) => special.calendar === each.id));
  return (
    <>
      <ul class="weektimes" aria-label="Other hours on the days of a calendar">
        {value.special_days.map((each, at) => {
          const spans = each.hours.map((hours): Span => [hours.from_min, hours.until_min]);
          const name = `On days of ${each.calendar}`;
          return (
            <li key={each.calendar}>
              <strong>
                <a href={`#/access/calendar/${encodeURIComponent(each.calendar)}`}>{each.calendar}</a>
              </strong>
              <Times
                name={name}
                spans={spans}
                set={(next) => put(at, next)}
                put={(number, span) =>
                  put(
                    at,
                    spans.map((kept, place) => (place === number ? span : kept)),
                  )
                }
              />
              <span class="row">
                <Button icon="plus" aria-label={`${name}: add a time`} onClick={() => put(at, [...spans, nextSpan(spans)])}>
                  Time
                </Button>
                <Button
                  icon="close"
                  aria-label={`Take ${each.calendar} out`}
                  onClick={() => set({ special_days: value.special_days.filter((_, number) => number !== at) })}
                >
                  Take out
                </Button>
              </span>
            </li>
          );
        })}
      </ul>
      {!value.special_days.length && <p class="hint">Every day is a day of the week: no calendar counts here.</p>}
      {others.length > 0 && (
        <Field label="Other hours on the days of" hint="Closed on them, until you add a time.">
          <select
            value=""
            onChange={(event) => {
              const calendar = event.currentTarget.value;
              event.currentTarget.value = "";
              if (calendar) set({ special_days: [...value.special_days, { calendar, hours: [] }] });
            }}
          >
            <option value="">a calendar …</option>
            {others.map((each) => (
              <option key={each.id} value={each.id}>
                {each.id} ({each.days.length} days)
              </option>
            ))}
          </select>
        </Field>
      )}
    </>
  );
}

const nextSpan = (spans: readonly Span[]): Span => {
  const last = spans.at(-1)?.[1];
  return last === undefined ? [540, 780] : [Math.min(last + 60, 1380), 1440];
};

// -- days -----------------------------------------------------------------------------------------------------------------------

const MOST_ADDED = 62;

function CalendarForm({ value, set, wrong, book }: Form<Calendar> & { may: boolean }) {
  const users = book.schedules.filter((each) => each.special_days.some((special) => special.calendar === value.id));
  return (
    <Panel title="Days">
      <DayList days={value.days} set={(days) => set({ days })} label="Day" />
      <FieldError error={wrong("days")} />
      {value.id && (
        <p class="hint">
          {users.length ? "Counts in the schedules " : "No schedule counts it yet: open one, and choose its hours on these days."}
          <Links kind="schedule" to={users} />
        </p>
      )}
    </Panel>
  );
}

function DayList({ days, set, label }: { days: string[]; set: (days: string[]) => void; label: string }) {
  const from = useSignal("");
  const until = useSignal("");
  const span = spanned(from.value, until.value);
  const add = () => {
    set([...new Set([...days, ...span])].sort());
    from.value = until.value = "";
  };
  const years = [...new Set(days.map((each) => each.slice(0, 4)))];
  return (
    <div class="stack">
      {years.map((year) => (
        <section key={year}>
          <h3>{year}</h3>
          <ul class="days" aria-label={`Days in ${year}`}>
            {days
              .filter((each) => each.startsWith(year))
              .map((each) => (
                <li key={each} class={each < today() ? "past" : ""}>
                  <time dateTime={each}>{dayText(each)}</time>
                  <Button
                    kind="quiet"
                    icon="close"
                    aria-label={`Take ${dayText(each)} out`}
                    onClick={() => set(days.filter((kept) => kept !== each))}
                  />
                </li>
              ))}
          </ul>
        </section>
      ))}
      {!days.length && <p class="hint">No day yet.</p>}
      <div class="filters">
        <Field label={label}>
          <input type="date" value={from.value} onInput={(event) => (from.value = event.currentTarget.value)} />
        </Field>
        <Field label="until (for several)">
          <input
            type="date"
            min={from.value}
            value={until.value}
            onInput={(event) => (until.value = event.currentTarget.value)}
          />
        </Field>
        <Button icon="plus" disabled={!span.length} onClick={add}>
          {span.length > 1 ? `Add ${span.length} days` : "Add"}
        </Button>
      </div>
      {from.value && until.value && !span.length && (
        <FieldError error={`The last day is not before the first, and at most ${MOST_ADDED} days are added at once.`} />
      )}
    </div>
  );
}

function spanned(from: string, until: string): string[] {
  if (!from) return [];
  const [first, last] = [Date.parse(from), Date.parse(until || from)];
  const count = Math.round((last - first) / 86_400_000) + 1;
  if (!(count >= 1 && count <= MOST_ADDED)) return [];
  return Array.from({ length: count }, (_, at) => new Date(first + at * 86_400_000).toISOString().slice(0, 10));
}

// -- a profile ------------------------------------------------------------------------------------------------------------------

function ProfileForm({ value, set, wrong, book }: Form<Profile> & { may: boolean }) {
  const follows = book.schedules.find((each) => each.id === value.schedule);
  return (
    <>
      <Panel title="Where">
        <DoorChoice chosen={value.doors} set={(chosen) => set({ doors: chosen })} />
        <FieldError error={wrong("doors")} />
      </Panel>
      <Panel title="When">
        <Field label="Schedule" error={wrong("schedule")}>
          <select value={value.schedule} onChange={(event) => set({ schedule: event.currentTarget.value })}>
            <option value="">choose …</option>
            {book.schedules.map((each) => (
              <option key={each.id} value={each.id}>
                {each.id}
              </option>
            ))}
          </select>
        </Field>
        {follows && (
          <p class="hint">
            {weekText(weekOf(follows.intervals))}, {follows.zone}.{" "}
            <a href={`#/access/schedule/${encodeURIComponent(follows.id)}`}>See it</a>
          </p>
        )}
        {!book.schedules.length && <p class="hint">There is no schedule yet: make one first.</p>}
      </Panel>
      <Panel title="With what">
        <Field
          label="What has to be shown"
          hint="Whether the face is looked at too is the door's own policy."
          error={wrong("factors")}
        >
          <select value={value.factors} onChange={(event) => set({ factors: event.currentTarget.value as Profile["factors"] })}>
            {Object.entries(FACTORS).map(([name, words]) => (
              <option key={name} value={name}>
                {words}
              </option>
            ))}
          </select>
        </Field>
        <label class="inline">
          <input
            type="checkbox"
            checked={value.begins_unlock}
            onChange={(event) => set({ begins_unlock: event.currentTarget.checked })}
          />{" "}
          the first of them to come in begins a door's unlocked hours
        </label>
      </Panel>
    </>
  );
}

const SHOWN_DOORS = 60;

function DoorChoice({ chosen, set }: { chosen: string[]; set: (chosen: string[]) => void }) {
  const text = useSignal("");
  const known = [...doors.value.values()].map((each) => each.value);
  const sites = [...new Set(known.map((each) => each.site))].sort();
  const every = ["*", ...sites.map((each) => `${each}/*`)];
  const single = known
    .map((each) => ({ word: `${each.site}/${each.door}`, name: each.name, site: each.site }))
    .sort((a, b) => a.name.localeCompare(b.name));
  const other = chosen.filter((word) => !every.includes(word) && !single.some((each) => each.word === word));
  const fits = single.filter((each) => `${each.name} ${each.word}`.toLowerCase().includes(text.value.toLowerCase()));
  const covered = (site: string) => chosen.includes("*") || chosen.includes(`${site}/*`);
  const flip = (word: string) => set(chosen.includes(word) ? chosen.filter((each) => each !== word) : [...chosen, word].sort());
  return (
    <div class="stack">
      <div>
        {[...every, ...other].map((word) => (
          <label class="inline" key={word}>
            <input type="checkbox" checked={chosen.includes(word)} onChange={() => flip(word)} /> {doorText(word)}
          </label>
        ))}
      </div>
      {single.length > 12 && (
        <Field label="Find a door">
          <input type="search" value={text.value} onInput={(event) => (text.value = event.currentTarget.value)} />
        </Field>
      )}
      <ul class="choice" aria-label="Doors">
        {fits.slice(0, SHOWN_DOORS).map((each) => (
          <li key={each.word}>
            <label class="inline">
              <input
                type="checkbox"
                disabled={covered(each.site)}
                checked={covered(each.site) || chosen.includes(each.word)}
                onChange={() => flip(each.word)}
              />
              <span>
                {each.name} <small>{each.word}</small>
              </span>
            </label>
          </li>
        ))}
      </ul>
      {fits.length > SHOWN_DOORS && <p class="hint">{fits.length - SHOWN_DOORS} more: type a part of the name.</p>}
      {!fits.length && <p class="hint">No door fits.</p>}
      <p>
        <strong>Opens:</strong> {doorsText(chosen)}
      </p>
    </div>
  );
}
