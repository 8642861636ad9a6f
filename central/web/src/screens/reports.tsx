// Reports of a span of time, and the record of what people did here.

import { useSignal } from "@preact/signals";
import { ask, query } from "../api";
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
          <table>
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    {HEADS[name] ?? name.charAt(0).toUpperCase() + name.slice(1).replaceAll("_", " ")}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {report.rows.map((row, at) => (
                <tr key={at}>
                  {columns.map((name) => (
                    <td key={name}>
                      <Value name={name} value={row[name] ?? null} />
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

function Value({ name, value }: { name: string; value: Cell }) {
  if (value === null || value === "") return <>—</>;
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
          <table>
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
                  <td class="num">{row.n}</td>
                  <td>
                    <Time at={row.at} />
                  </td>
                  <td>{row.who}</td>
                  <td>
                    <code>{row.what}</code>
                  </td>
                  <td>{row.about || "—"}</td>
                  <td>
                    <code>{Object.keys(row.details).length ? JSON.stringify(row.details) : ""}</code>
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
