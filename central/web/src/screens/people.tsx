// Cardholders: found, added, suspended; their fobs; a file of many of them; and enrolment, which begins with consent.

import { useSignal } from "@preact/signals";
import { ask, query, session, type ImportReport, type PersonLine } from "../api";
import { go, refine, route } from "../route";
import { EnrolScreen } from "./enrol";
import { SearchField } from "./events";
import { Icon } from "../ui/icons";
import {
  Button,
  Chip,
  Dialog,
  Empty,
  Field,
  Page,
  Panel,
  SaveBar,
  Time,
  Trouble,
  useDraft,
  useLoaded,
  useWork,
  Working,
} from "../ui/parts";

const PAGE = 50;
const mayChange = (): boolean => session.value?.role === "manager";
const mayErase = (): boolean => mayChange() || session.value?.role === "privacy";

export function PeopleScreen() {
  const [first = "", second = ""] = route.value.parts;
  if (first === "import") return <ImportScreen />;
  if (first && second === "enrol") return <EnrolScreen key={first} id={first} />;
  if (first) return <PersonScreen key={first} id={first} />;
  return <List />;
}

function List() {
  const text = route.value.search.get("text") ?? "";
  const adds = useSignal(false);
  const more = useSignal<{ of: string | null; lines: PersonLine[]; end: boolean }>({ of: null, lines: [], end: false });
  const work = useWork();
  const found = useLoaded(() => ask<PersonLine[]>("/people" + query({ text, limit: PAGE })), text);
  const later = more.value.of === text ? more.value : { lines: [], end: (found.value?.length ?? 0) < PAGE };
  const all = [...(found.value ?? []), ...later.lines];
  const load = () =>
    work.run(async () => {
      const next = await ask<PersonLine[]>("/people" + query({ text, limit: PAGE, after: all.at(-1)?.id }));
      more.value = { of: text, lines: [...later.lines, ...next], end: next.length < PAGE };
    });
  return (
    <Page
      title="People"
      actions={
        mayChange() && (
          <>
            <Button icon="plus" kind="main" onClick={() => (adds.value = true)}>
              New person
            </Button>
            <a class="button" href="#/people/import">
              <Icon name="upload" /> Import
            </a>
            <a class="button" href="/api/people/export" download>
              <Icon name="download" /> Export
            </a>
          </>
        )
      }
    >
      <div class="filters" role="search">
        <SearchField label="Search by name, id or fob" value={text} set={(next) => refine("/people" + query({ text: next }))} />
      </div>
      <Trouble error={found.error ?? work.error} />
      {!found.value && !found.error && <Working what="Searching" />}
      {found.value && !all.length && (
        <Empty>{text ? "Nobody fits." : "Nobody is on record yet. Add a person, or import a CSV file."}</Empty>
      )}
      {all.length > 0 && <Lines all={all} />}
      {found.value && !later.end && all.length > 0 && (
        <Button busy={work.busy} onClick={() => void load()}>
          More
        </Button>
      )}
      <NewPerson open={adds.value} close={() => (adds.value = false)} />
    </Page>
  );
}

function Lines({ all }: { all: PersonLine[] }) {
  return (
    <div class="tablewrap" tabIndex={0} role="region" aria-label="People">
      <table class="stacks">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Profiles</th>
            <th scope="col">Fobs</th>
            <th scope="col">Face</th>
            <th scope="col">Until</th>
            <th scope="col">State</th>
          </tr>
        </thead>
        <tbody>
          {all.map((person) => (
            <tr key={person.id}>
              <th scope="row">
                <a href={`#/people/${encodeURIComponent(person.id)}`} data-row>
                  {person.name}
                </a>
              </th>
              <td data-label="Profiles">{person.profiles.join(", ") || "none"}</td>
              <td data-label="Fobs" class="num">
                {person.credentials}
              </td>
              <td data-label="Face">{person.enrolled ? "enrolled" : "—"}</td>
              <td data-label="Until">
                <Time at={person.valid_until} />
              </td>
              <td data-label="State">
                {person.suspended ? (
                  <Chip tone="warn" icon="block">
                    suspended
                  </Chip>
                ) : (
                  "active"
                )}{" "}
                {person.visitor && <Chip icon="person">visitor</Chip>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface Profile {
  id: string;
}

function Profiles({ chosen, set, off = false }: { chosen: string[]; set: (chosen: string[]) => void; off?: boolean }) {
  const found = useLoaded(() => ask<Profile[]>("/profiles"), "profiles");
  const flip = (id: string) => set(chosen.includes(id) ? chosen.filter((each) => each !== id) : [...chosen, id]);
  return (
    <fieldset>
      <legend>Access profiles</legend>
      {(found.value ?? []).map((profile) => (
        <label class="inline" key={profile.id}>
          <input type="checkbox" disabled={off} checked={chosen.includes(profile.id)} onChange={() => flip(profile.id)} />{" "}
          {profile.id}
        </label>
      ))}
      {found.value?.length === 0 && <p class="hint">There is no access profile yet.</p>}
      <Trouble error={found.error} />
    </fieldset>
  );
}

function NewPerson({ open, close }: { open: boolean; close: () => void }) {
  const name = useSignal("");
  const visitor = useSignal(false);
  const until = useSignal("");
  const profiles = useSignal<string[]>([]);
  const work = useWork();
  const add = () =>
    work.run(async () => {
      const valid_until = until.value ? new Date(until.value).toISOString() : null;
      const made = await ask<{ id: string }>("/people", {
        body: { name: name.value.trim(), visitor: visitor.value, profiles: profiles.value, valid_until },
      });
      close();
      go(`/people/${encodeURIComponent(made.id)}`);
    });
  return (
    <Dialog title="New person" open={open} close={close}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <Field label="Name">
          <input required maxLength={200} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
        </Field>
        <Profiles chosen={profiles.value} set={(next) => (profiles.value = next)} />
        <label class="inline">
          <input type="checkbox" checked={visitor.value} onChange={(event) => (visitor.value = event.currentTarget.checked)} /> a
          visitor
        </label>
        <Field label={visitor.value ? "Until (a visit needs an end)" : "Until"}>
          <input
            type="datetime-local"
            required={visitor.value}
            value={until.value}
            onInput={(event) => (until.value = event.currentTarget.value)}
          />
        </Field>
        <Trouble error={work.error} />
        <Button type="submit" kind="main" busy={work.busy} disabled={!name.value.trim()}>
          Add
        </Button>
      </form>
    </Dialog>
  );
}

// -- one person ------------------------------------------------------------------------------------------------------------------

interface Held {
  key: string;
  state: "active" | "lost" | "stolen" | "revoked";
  valid_until: string | null;
}
interface Person {
  id: string;
  name: string;
  profiles: string[];
  visitor: boolean;
  suspended: boolean;
  valid_from: string | null;
  valid_until: string | null;
  notes: string;
  credentials: Held[];
  templates: number;
  enrolled: boolean;
  has_pin: boolean;
  norms_consent: boolean;
  added: string;
}

function PersonScreen({ id }: { id: string }) {
  const at = `/people/${encodeURIComponent(id)}`;
  const found = useLoaded(() => ask<Person>(at), id);
  const work = useWork();
  const person = found.value;
  if (!person)
    return (
      <Page title={id} back="#/people">
        {found.error ? <Trouble error={found.error} /> : <Working what="Asking" />}
      </Page>
    );
  const change = (body: object) =>
    work.run(async () => {
      await ask(at, { method: "PATCH", body });
      await found.again();
    });
  return (
    <Page title={person.name} back="#/people">
      <Trouble error={work.error} />
      <div class="columns">
        <Panel title="Person">
          <dl class="facts">
            <dt>State</dt>
            <dd>
              {person.suspended ? (
                <Chip tone="warn" icon="block">
                  suspended
                </Chip>
              ) : (
                <Chip icon="ordinary">active</Chip>
              )}{" "}
              {person.visitor && <Chip icon="person">visitor</Chip>}
            </dd>
            <dt>Id</dt>
            <dd>
              <code>{person.id}</code>
            </dd>
            <dt>From</dt>
            <dd>
              <Time at={person.valid_from} />
            </dd>
            <dt>Until</dt>
            <dd>
              <Time at={person.valid_until} />
            </dd>
            <dt>PIN</dt>
            <dd>{person.has_pin ? "set" : "none"}</dd>
            {person.notes && (
              <>
                <dt>Notes</dt>
                <dd>{person.notes}</dd>
              </>
            )}
          </dl>
          <Passes person={person} at={at} again={found.again} />
          {mayChange() && (
            <div class="row">
              <Button icon="block" busy={work.busy} onClick={() => void change({ suspended: !person.suspended })}>
                {person.suspended ? "Let pass again" : "Suspend"}
              </Button>
            </div>
          )}
          <a href={`#/events?person=${encodeURIComponent(person.id)}`}>What happened with their fobs</a>
        </Panel>
        <Credentials person={person} at={at} again={found.again} />
        <Face person={person} at={at} again={found.again} />
        {mayErase() && <OnesRights person={person} at={at} />}
      </div>
    </Page>
  );
}

/** Which doors somebody may pass is not changed by a slip of the finger. */
function Passes({ person, at, again }: { person: Person; at: string; again: () => Promise<void> }) {
  const draft = useDraft(`person/${person.id}`, { profiles: person.profiles });
  const work = useWork();
  const save = () =>
    work.run(async () => {
      await ask(at, { method: "PATCH", body: draft.value });
      draft.drop();
      await again();
      return "Saved. Doors get it within seconds.";
    });
  return (
    <>
      <Profiles off={!mayChange()} chosen={draft.value.profiles} set={(next) => draft.set({ profiles: [...next].sort() })} />
      <Trouble error={work.error} />
      <SaveBar changed={draft.changed} work={work} save={() => void save()} drop={draft.drop} />
    </>
  );
}

const MARKS = { lost: "Lost", stolen: "Stolen", revoked: "Withdraw" };

function Credentials({ person, at, again }: { person: Person; at: string; again: () => Promise<void> }) {
  const key = useSignal("");
  const work = useWork();
  const issue = () =>
    work.run(async () => {
      await ask(`${at}/credentials`, { body: { key: key.value.trim() } });
      key.value = "";
      await again();
    });
  const mark = (held: Held, state: Held["state"]) =>
    work.run(async () => {
      await ask(`/credentials/${encodeURIComponent(held.key)}`, { method: "PATCH", body: { state } });
      await again();
      return state === "active"
        ? `${held.key} counts again.`
        : `${held.key} is ${state}: doors that are online refuse it within seconds.`;
    });
  return (
    <Panel title="Fobs">
      <ul class="creds">
        {person.credentials.map((held) => (
          <li key={held.key}>
            <code>{held.key}</code>
            <Chip tone={held.state === "active" ? "calm" : "warn"} icon={held.state === "active" ? "key" : "block"}>
              {held.state}
            </Chip>
            {mayChange() &&
              (held.state === "active" ? (
                (["lost", "stolen", "revoked"] as const).map((state) => (
                  <Button
                    key={state}
                    busy={work.busy}
                    aria-label={`${MARKS[state]}: ${held.key}`}
                    onClick={() => void mark(held, state)}
                  >
                    {MARKS[state]}
                  </Button>
                ))
              ) : (
                <Button busy={work.busy} aria-label={`Found again: ${held.key}`} onClick={() => void mark(held, "active")}>
                  Found again
                </Button>
              ))}
          </li>
        ))}
      </ul>
      {!person.credentials.length && <p class="hint">No fob.</p>}
      {mayChange() && (
        <form
          class="noteform"
          onSubmit={(event) => {
            event.preventDefault();
            void issue();
          }}
        >
          <input
            aria-label="New fob"
            required
            placeholder="H10301:1:5283"
            maxLength={120}
            value={key.value}
            onInput={(event) => (key.value = event.currentTarget.value)}
          />
          <Button type="submit" busy={work.busy} disabled={!key.value.trim()}>
            Issue
          </Button>
        </form>
      )}
      {work.done && <p role="status">{work.done}</p>}
      <Trouble error={work.error} />
    </Panel>
  );
}

function Face({ person, at, again }: { person: Person; at: string; again: () => Promise<void> }) {
  const work = useWork();
  const armed = useSignal(false);
  const revoke = () =>
    work.run(async () => {
      if (!armed.value) return void (armed.value = true);
      armed.value = false;
      await ask(`${at}/template`, { method: "DELETE" });
      await again();
      return "The templates are gone here; doors drop them with their next rules.";
    });
  return (
    <Panel title="Face">
      <p>
        {person.enrolled
          ? `Enrolled: ${person.templates} ${person.templates === 1 ? "template" : "templates"}, no picture is kept.`
          : "Not enrolled. Consent comes first; then a few pictures, of which only templates are kept."}
      </p>
      <div class="row">
        {mayChange() && (
          <a class="button main" href={`#/people/${encodeURIComponent(person.id)}/enrol`}>
            <Icon name="camera" /> {person.enrolled ? "Enrol anew" : "Enrol"}
          </a>
        )}
        {person.enrolled && mayErase() && (
          <Button kind="danger" busy={work.busy} onClick={() => void revoke()}>
            {armed.value ? "Really take the face away?" : "Take the face away"}
          </Button>
        )}
      </div>
      {work.done && <p role="status">{work.done}</p>}
      <Trouble error={work.error} />
    </Panel>
  );
}

function OnesRights({ person, at }: { person: Person; at: string }) {
  const typed = useSignal("");
  const work = useWork();
  const erase = () =>
    work.run(async () => {
      await ask(`${at}/erase`, { method: "POST", body: {} });
      go("/people");
    });
  return (
    <Panel title="Their rights">
      {session.value?.role === "privacy" && (
        <a class="button" href={`/api${at}/everything`} download>
          <Icon name="download" /> Everything held on this person
        </a>
      )}
      <details>
        <summary>Erase this person</summary>
        <div class="stack">
          <p>
            Name, fobs, templates and consent go from here and from the doors. It cannot be undone; that it was done stays on
            record.
          </p>
          <Field label={`Type ${person.id} to confirm`}>
            <input value={typed.value} onInput={(event) => (typed.value = event.currentTarget.value)} />
          </Field>
          <Button kind="danger" busy={work.busy} disabled={typed.value !== person.id} onClick={() => void erase()}>
            Erase
          </Button>
        </div>
      </details>
      <Trouble error={work.error} />
    </Panel>
  );
}

// -- import ----------------------------------------------------------------------------------------------------------------------

type Report = ImportReport & { bad?: number; applied?: boolean };

function ImportScreen() {
  const file = useSignal<File | null>(null);
  const report = useSignal<Report | null>(null);
  const work = useWork();
  const send = (dry: boolean) =>
    work.run(async () => {
      report.value = await ask<Report>("/people/import" + (dry ? "?dry_run=1" : ""), {
        raw: file.value!,
        type: "text/csv",
        timeout_ms: 300_000,
      });
    });
  const fit = report.value && !report.value.applied && report.value.faults.length === 0;
  return (
    <Page title="Import people" back="#/people" class="narrow">
      <Panel title="1. A CSV file">
        <p>
          As <a href="/api/people/export">the export</a> gives it. Nothing is changed before you have seen what would change.
        </p>
        <Field label="File">
          <input
            type="file"
            accept=".csv,text/csv"
            onChange={(event) => ((file.value = event.currentTarget.files?.[0] ?? null), (report.value = null))}
          />
        </Field>
        <Button kind={fit ? "plain" : "main"} busy={work.busy} disabled={!file.value} onClick={() => void send(true)}>
          Look at it first
        </Button>
        <Trouble error={work.error} />
      </Panel>
      {report.value && (
        <Panel title={report.value.applied ? "Done" : "2. What would change"}>
          <p role="status">
            {report.value.rows} rows: {report.value.new} new, {report.value.changed} changed, {report.value.unchanged} as they are
            {report.value.bad ? `, ${report.value.bad} bad` : ""}.
          </p>
          {report.value.faults.length > 0 && <Faults faults={report.value.faults} />}
          {fit && (
            <Button kind="main" busy={work.busy} onClick={() => void send(false)}>
              Bring them in
            </Button>
          )}
          {report.value.faults.length > 0 && <p class="hint">Mend these rows and choose the file again; nothing was changed.</p>}
        </Panel>
      )}
    </Page>
  );
}

function Faults({ faults }: { faults: ImportReport["faults"] }) {
  return (
    <div class="tablewrap" tabIndex={0} role="region" aria-label="Rows that cannot be taken">
      <table>
        <thead>
          <tr>
            <th scope="col">Row</th>
            <th scope="col">Column</th>
            <th scope="col">Says</th>
            <th scope="col">Why not</th>
          </tr>
        </thead>
        <tbody>
          {faults.map((fault, at) => (
            <tr key={at}>
              <td class="num">{fault.row}</td>
              <td>{fault.column}</td>
              <td>{fault.value}</td>
              <td>{fault.sentence}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
