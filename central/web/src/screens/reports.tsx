// Reports of a span of time, and the record of what people did here.

import { useSignal } from "@preact/signals";
import { ask, query, session } from "../api";
import { doors } from "../state";
import { Icon } from "../ui/icons";
import { Button, Empty, Field, Page, Time, Trouble, useLoaded, useWork, Working } from "../ui/parts";

type Cell = string | number | boolean | null | string[];
interface Report {
  rests_on: string;
  whole: boolean;
  rows: Record<string, Cell>[];
}

const REPORTS: [string, string][] = [
  ["presence", "Who was in the building"],
  ["denials", "Refused"],
  ["held", "Doors held or forced"],
];
const HEADS: Record<string, string> = {
  n: "Event",
  at: "When",
  first_in: "First in",
  last_in: "Last in",
  last_out: "Last out",
  last_door: "Last door",
  closed_at: "Closed",
  open_s: "Open (s)",
};

const local = (at: Date): string => new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
const utc = (told: string): string => new Date(told).toISOString();

export function ReportsScreen() {
  const which = useSignal("presence");
  const from = useSignal(local(new Date(Date.now() - 86_400_000)));
  const to = useSignal(local(new Date(Date.now() + 60_000)));
  const asked = useSignal("");
  const ready = from.value !== "" && to.value !== "";
  const path = ready ? `/reports/${which.value}` + query({ from: utc(from.value), to: utc(to.value) }) : "";
  return (
    <Page title="Reports">
      <div class="segments" role="group" aria-label="Report">
        {REPORTS.map(([name, label]) => (
          <button
            key={name}
            type="button"
            aria-pressed={which.value === name}
            onClick={() => ((which.value = name), (asked.value = ""))}
          >
            {label}
          </button>
        ))}
      </div>
      <form
        class="filters"
        onSubmit={(event) => {
          event.preventDefault();
          asked.value = path;
        }}
      >
        <Field label="From">
          <input
            type="datetime-local"
            required
            value={from.value}
            onInput={(event) => (from.value = event.currentTarget.value)}
          />
        </Field>
        <Field label="Until">
          <input type="datetime-local" required value={to.value} onInput={(event) => (to.value = event.currentTarget.value)} />
        </Field>
        <Button type="submit" kind="main" disabled={!ready}>
          Show
        </Button>
        {ready && (
          <a class="button" href={`/api${path}&format=csv`} download>
            <Icon name="download" /> CSV
          </a>
        )}
      </form>
      {asked.value ? <Shown key={asked.value} path={asked.value} /> : <p class="hint">Looking at a report is on record.</p>}
    </Page>
  );
}

function Shown({ path }: { path: string }) {
  const found = useLoaded(() => ask<Report>(path, { timeout_ms: 60_000 }), path);
  const report = found.value;
  if (found.error) return <Trouble error={found.error} />;
  if (!report) return <Working what="Counting" />;
  const columns = Object.keys(report.rows[0] ?? {});
  return (
    <>
      <p class="hint">{report.rests_on}</p>
      {!report.whole && <Trouble error="There was more than is shown: ask for less time." />}
      {!report.rows.length ? (
        <Empty>Nothing in this time.</Empty>
      ) : (
        <div class="tablewrap" tabIndex={0} role="region" aria-label="Report">
          <table class="stacks">
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    {headOf(name)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {report.rows.map((row, at) => (
                <tr key={at}>
                  {columns.map((name) => (
                    <td key={name} data-label={headOf(name)}>
                      <Value name={name} value={row[name] ?? null} row={row} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  );
}

const headOf = (name: string): string => HEADS[name] ?? name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ");

const seesPeople = (): boolean => ["guard", "manager", "privacy"].includes(session.value?.role ?? "");

function Value({ name, value, row }: { name: string; value: Cell; row: Record<string, Cell> }) {
  if (value === null || value === "") return <>—</>;
  if (name === "person" && seesPeople()) return <a href={`#/people/${encodeURIComponent(String(value))}`}>{String(value)}</a>;
  if (name === "door" && row["site"])
    return <>{doors.value.get(`${String(row["site"])}/${String(value)}`)?.value.name ?? value}</>;
  if (typeof value === "boolean") return <>{value ? "yes" : "no"}</>;
  if (name === "n") return <a href={`#/event/${String(value)}`}>{String(value)}</a>;
  if (Array.isArray(value)) return <>{value.map((each) => each.replaceAll("_", " ")).join(", ")}</>;
  if (typeof value === "number") return <span class="num">{Math.round(value * 10) / 10}</span>;
  return /^\d{4}-\d\d-\d\dT/.test(value) ? <Time at={value} /> : <>{value}</>;
}

// -- audit -----------------------------------------------------------------------------------------------------------------------

interface AuditRow {
  n: number;
  at: string;
  who: string;
  what: string;
  about: string;
  details: Record<string, unknown>;
}
interface AuditPage {
  records: AuditRow[];
  more: boolean;
  head: { n: number; digest: string };
}
/** What happens often, in words; the record's own name stands beside it. */
const AUDIT_WORDS: Record<string, string> = {
  "session.begun": "signed in",
  "session.ended": "signed out",
  "session.refused": "was not let in",
  "account.added": "made an account",
  "account.changed": "changed an account",
  "account.password": "gave another password",
  "account.totp_begun": "began a second factor",
  "account.totp_on": "second factor on",
  "account.totp_off": "second factor off",
  "people.listed": "looked at the list of people",
  "people.added": "added a person",
  "people.changed": "changed a person",
  "people.deleted": "deleted a person",
  "credential.issued": "issued a fob",
  "credential.stolen": "reported a fob stolen",
  "credential.lost": "reported a fob lost",
  "credential.revoked": "withdrew a fob",
  "credential.active": "put a fob in use again",
  "schedule.changed": "changed a schedule",
  "calendar.changed": "changed a calendar",
  "profile.changed": "changed an access profile",
  "command.answered": "the door answered",
  "command.unlock": "ordered: let in",
  "command.deny": "ordered: refuse",
  "command.lockdown": "ordered: lock down",
  "command.lock": "ordered: lock",
  "command.release": "ordered: release",
  "GET /people/{id}": "looked at a person",
  "GET /people/{id}/everything": "took everything held on a person",
  "GET /people/export": "took the list of people",
  "GET /audit": "read this record",
  "GET /reports/presence": "read who was in the building",
  "GET /reports/denials": "read the refusals",
  "GET /reports/held": "read the doors held",
};

const detailsText = (details: Record<string, unknown>): string =>
  Object.entries(details)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join("; ");

const rowsOf = (page: AuditPage | null): AuditRow[] => page?.records ?? [];

export function AuditScreen() {
  const found = useLoaded(() => ask<AuditPage>("/audit" + query({ limit: 100 })), "audit");
  const older = useSignal<AuditRow[]>([]);
  const more = useSignal<boolean | null>(null);
  const work = useWork();
  const rows = [...rowsOf(found.value), ...older.value];
  const load = () =>
    work.run(async () => {
      const next = await ask<AuditPage>("/audit" + query({ limit: 100, before: rows.at(-1)?.n }));
      older.value = [...older.value, ...rowsOf(next)];
      more.value = next.more;
    });
  return (
    <Page title="Audit">
      <p class="hint">
        What people did and looked at, in a chain that a changed row breaks. Check it with{" "}
        <code>doorward central verify-audit</code>.
        {found.value && (
          <>
            {" "}
            Its end is row {found.value.head.n}, <code>{found.value.head.digest.slice(0, 16)}…</code>
          </>
        )}
      </p>
      <Trouble error={found.error ?? work.error} />
      {!found.value && !found.error && <Working what="Asking" />}
      {rows.length > 0 && (
        <div class="tablewrap" tabIndex={0} role="region" aria-label="Audit log">
          <table class="stacks">
            <thead>
              <tr>
                <th scope="col">Row</th>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col">About</th>
                <th scope="col">Details</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.n}>
                  <td class="num" data-label="Row">
                    {row.n}
                  </td>
                  <td data-label="When">
                    <Time at={row.at} />
                  </td>
                  <td data-label="Who">{row.who}</td>
                  <td data-label="What">
                    {AUDIT_WORDS[row.what] ? (
                      <>
                        {AUDIT_WORDS[row.what]} <code class="raw">{row.what}</code>
                      </>
                    ) : (
                      <code>{row.what}</code>
                    )}
                  </td>
                  <td data-label="About">{row.about || "—"}</td>
                  <td data-label="Details" class="details">
                    {detailsText(row.details)}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {(more.value ?? found.value?.more) && (
        <Button busy={work.busy} onClick={() => void load()}>
          Older
        </Button>
      )}
    </Page>
  );
}
