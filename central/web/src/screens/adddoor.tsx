// A code for a controller that has no keys yet: asked for here, read over the telephone, typed at the door.

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, session } from "../api";
import { go, route } from "../route";
import { spelt, until } from "../paircode";
import { doors } from "../state";
import { Icon } from "../ui/icons";
import { Button, Chip, Empty, Field, Page, Panel, Trouble, useLoaded, useWork, Working } from "../ui/parts";
import "./adddoor.css";

interface Made {
  id: string;
  code: string;
}
interface Row {
  id: string;
  site: string;
  door: string;
  name: string;
  by: string;
  left_s: number;
  state: "waiting" | "paired" | "dead" | "expired" | "withdrawn";
  tries: number;
  replaces: boolean;
  reloaded: boolean;
}
interface Shown {
  code: Row;
  here: boolean;
}
/** A row, and when its countdown ends by this device's clock. */
type Timed = Shown & { ends: number };

/** Told once by the centre, and kept by this page alone until it is loaded anew. */
const codes = signal<Readonly<Record<string, string>>>({});
session.subscribe((now) => {
  if (!now) codes.value = {};
});

const LOOK_EVERY_MS = 2000;
const LOOK_FOR_MS = 20 * 60_000;

const STATES: Record<Row["state"], [string, string, string]> = {
  waiting: ["waits for the door", "note", "sent"],
  paired: ["has come", "calm", "done"],
  dead: ["dead after three wrong tries", "warn", "refused"],
  expired: ["too old", "lost", "no_answer"],
  withdrawn: ["withdrawn", "lost", "close"],
};

export function AddDoorScreen() {
  const [id = ""] = route.value.parts;
  const found = useLoaded(listed, "pair");
  const open = found.value?.some((each) => each.code.state === "waiting" || (each.code.state === "paired" && !each.here));
  useEffect(() => {
    if (!open) return;
    const timer = setInterval(() => void found.again(), LOOK_EVERY_MS);
    // Asking keeps a session awake: not for a page that somebody left open
    const enough = setTimeout(() => clearInterval(timer), LOOK_FOR_MS);
    return () => (clearInterval(timer), clearTimeout(enough));
  }, [open, id]);
  if (!found.value)
    return (
      <Page title="Add a door" back="#/doors">
        {found.error ? <Trouble error={found.error} /> : <Working what="Asking" />}
      </Page>
    );
  const one = found.value.find((each) => each.code.id === id);
  return (
    <Page title="Add a door" back={id ? "#/adddoor" : "#/doors"} class="narrow">
      {one && <One key={id} row={one} again={found.again} />}
      {id && !one && <Empty>There is no such code any more.</Empty>}
      {!id && <New again={found.again} />}
      {!id && <Recent rows={found.value} />}
      <Trouble error={found.error} />
    </Page>
  );
}

async function listed(): Promise<Timed[]> {
  const rows = await ask<Shown[]>("/pair/codes");
  return rows.map((each) => ({ ...each, ends: Date.now() + each.code.left_s * 1000 }));
}

async function newCode(site: string, door: string, name: string): Promise<string> {
  const path = `/pair/codes/${encodeURIComponent(site)}/${encodeURIComponent(door)}`;
  const made = await ask<Made>(path, { body: { name } });
  codes.value = { ...codes.value, [made.id]: made.code };
  return made.id;
}

function New({ again }: { again: () => Promise<void> }) {
  const sites = session.value?.sites ?? [];
  const known = [...new Set([...sites, ...[...doors.value.values()].map((each) => each.value.site)])].sort();
  const site = useSignal(known[0] ?? "");
  const door = useSignal("");
  const name = useSignal("");
  const work = useWork();
  const there = doors.value.get(`${site.value}/${door.value}`)?.value;
  const add = () =>
    work.run(async () => {
      const id = await newCode(site.value, door.value, name.value.trim());
      await again();
      go(`/adddoor/${id}`);
    });
  return (
    <form class="panel stack" onSubmit={(event) => (event.preventDefault(), void add())}>
      <p class="hint">
        For a controller that hangs at its door and has no keys yet. It gets them with a code, which you read to whoever stands
        there.
      </p>
      <div class="twofields">
        <Field label="Site">
          <Level value={site.value} set={(next) => (site.value = next)} list={known} />
        </Field>
        <Field label="Door">
          <Level value={door.value} set={(next) => (door.value = next)} />
        </Field>
      </div>
      <p class="hint">Short names: a-z, 0-9, _ and -. They stay as they are.</p>
      <Field label="Name" hint="As people call it.">
        <input
          maxLength={100}
          autocomplete="off"
          placeholder={there?.name ?? ""}
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </Field>
      {there && (
        <p class="doubt" role="status">
          There is such a door. A controller that comes by this code <strong>takes its place</strong>; the one before stays valid
          until the new one is heard.
        </p>
      )}
      <Trouble error={work.error} />
      <Button type="submit" kind="main" busy={work.busy} disabled={!site.value || !door.value}>
        Get a code
      </Button>
    </form>
  );
}

function Level({ value, set, list = [] }: { value: string; set: (value: string) => void; list?: string[] }) {
  return (
    <>
      <input
        required
        maxLength={40}
        pattern="[a-z0-9_\-]+"
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
        list={list.length ? "known-sites" : undefined}
        value={value}
        onInput={(event) => set(event.currentTarget.value.trim().toLowerCase())}
      />
      {list.length > 0 && (
        <datalist id="known-sites">
          {list.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
    </>
  );
}

function One({ row, again }: { row: Timed; again: () => Promise<void> }) {
  const { code } = row;
  const work = useWork();
  const place = `${code.site}/${code.door}`;
  const another = () =>
    work.run(async () => {
      const id = await newCode(code.site, code.door, code.name);
      await again();
      go(`/adddoor/${id}`);
    });
  return (
    <Panel class="stack paircard">
      <h2>
        {place} {code.name && <small>{code.name}</small>}
      </h2>
      {row.here ? (
        <Here row={row} />
      ) : code.state === "paired" ? (
        <p class="pairstate" role="status">
          <Icon name="sent" />
          <span>
            It has its keys. Waiting for it at the broker …{" "}
            {!code.reloaded && (
              <span class="hint">The broker does not know it yet. Where it runs: systemctl reload mosquitto</span>
            )}
          </span>
        </p>
      ) : code.state === "waiting" ? (
        <Waiting row={row} />
      ) : (
        <p class="pairstate" role="status">
          <Icon name={STATES[code.state][2]} />
          <span>This code does not count any more: {STATES[code.state][0]}.</span>
        </p>
      )}
      <Tries row={code} />
      <Trouble error={work.error} />
      {code.state !== "paired" && (
        <span class="row">
          {code.state !== "waiting" && (
            <Button kind="main" busy={work.busy} onClick={() => void another()}>
              Another code for {place}
            </Button>
          )}
          {code.state === "waiting" && (
            <Button
              busy={work.busy}
              onClick={() =>
                void work.run(async () => {
                  await ask(`/pair/codes/${code.id}`, { method: "DELETE" });
                  await again();
                })
              }
            >
              Withdraw it
            </Button>
          )}
        </span>
      )}
    </Panel>
  );
}

function Here({ row }: { row: Timed }) {
  const place = `${row.code.site}/${row.code.door}`;
  return (
    <>
      <p class="pairstate pairhere" role="status">
        <Icon name="ordinary" />
        <span>{place} is here</span>
      </p>
      <a class="button main" href={`#/door/${place}`}>
        <Icon name="door" /> Look at it
      </a>
    </>
  );
}

function Waiting({ row }: { row: Timed }) {
  const code = codes.value[row.code.id];
  if (!code)
    return (
      <p class="pairstate">
        <Icon name="sent" />
        <span>
          A code waits for its door: <Countdown ends={row.ends} />. It was shown once, to {row.code.by}.
        </span>
      </p>
    );
  return (
    <>
      <p>Read this to whoever stands at the door:</p>
      <p
        class="paircode"
        role="img"
        aria-label={`Code: ${spelt(code)
          .map((each) => each.word)
          .join(", ")}`}
      >
        {[code.slice(0, 4), code.slice(4)].map((group, number) => (
          <span class="pairgroup" key={number}>
            {spelt(group).map((each, at) => (
              <span class="pairsign" key={at}>
                <b>{each.sign}</b>
                <small>{each.word}</small>
              </span>
            ))}
          </span>
        ))}
      </p>
      <p class="pairclock">
        Counts once, for <Countdown ends={row.ends} />
      </p>
      <ol class="pairsteps">
        <li>
          At the door: <code>sudo doorward commission</code>
        </li>
        <li>
          The centre's address: <code>{location.origin}</code>
        </li>
        <li>The code. Small letters are fine, and so are spaces.</li>
      </ol>
      {row.code.replaces && (
        <p class="doubt">
          This controller takes the place of the one before, whose keys are revoked as soon as the new one is heard.
        </p>
      )}
    </>
  );
}

function Countdown({ ends }: { ends: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return (
    <b class="num" role="timer">
      {until(ends, now.value)}
    </b>
  );
}

function Tries({ row }: { row: Row }) {
  if (!row.tries) return null;
  return (
    <p class="doubt" role="status">
      {row.tries === 1 ? "One wrong try" : `${row.tries} wrong tries`} of three. Was it mistyped at the door? If not, somebody
      else is trying.
    </p>
  );
}

function Recent({ rows }: { rows: Timed[] }) {
  if (!rows.length) return null;
  return (
    <Panel title="Of the last hour">
      <ul class="rules" aria-label="Codes of the last hour">
        {rows.map((each) => (
          <li key={each.code.id}>
            <a href={`#/adddoor/${each.code.id}`} data-row>
              <strong>
                {each.code.site}/{each.code.door} <small>{each.code.name}</small>
              </strong>
              <span class="hint">{each.code.by}</span>
              {each.here ? (
                <Chip icon="ordinary">is here</Chip>
              ) : (
                <Chip tone={STATES[each.code.state][1]} icon={STATES[each.code.state][2]}>
                  {STATES[each.code.state][0]}
                </Chip>
              )}
            </a>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
