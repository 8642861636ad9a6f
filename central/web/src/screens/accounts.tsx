// Who may sign in: what they may do, where, and with what. Managers change it; privacy officers and auditors look.

import { useSignal } from "@preact/signals";
import { ask, besides, managesAll, session, type Role } from "../api";
import { go, route } from "../route";
import { doors } from "../state";
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
  Time,
  Trouble,
  useDraft,
  useLoaded,
  useWork,
  Working,
} from "../ui/parts";
import { Picture, Secret } from "./own";

interface Account {
  account: string;
  name: string;
  role: Role;
  sites: string[];
  totp: boolean;
  disabled: boolean;
  made: string;
  changed: string;
  sessions: number;
}
interface Changed {
  account: Account;
  totp_secret: string;
  totp_uri: string;
}

export const ROLE_WORDS: Record<Role, [string, string]> = {
  guard: ["Guard", "alerts, live pictures, lets in, refuses, locks down"],
  manager: ["Manager", "everything of doors, people, rules and accounts"],
  installer: ["Installer", "states and health of doors, no people"],
  privacy: ["Privacy officer", "people's rights, who looked at what"],
  auditor: ["Auditor", "the record of everything, changes nothing"],
};

export function AccountsScreen() {
  const [account = ""] = route.value.parts;
  const found = useLoaded(() => ask<Account[]>("/accounts"), "accounts");
  if (!found.value)
    return <Page title="Accounts">{found.error ? <Trouble error={found.error} /> : <Working what="Asking" />}</Page>;
  if (account === "new") return <NewAccount again={found.again} />;
  if (!account) return <All accounts={found.value} />;
  const one = found.value.find((each) => each.account === account);
  if (one) return <One key={account} kept={one} again={found.again} />;
  return (
    <Page title={account} back="#/accounts">
      <Empty>There is no account of that name.</Empty>
    </Page>
  );
}

function All({ accounts }: { accounts: Account[] }) {
  return (
    <Page
      title="Accounts"
      actions={
        managesAll() && (
          <a class="button main" href="#/accounts/new">
            <Icon name="plus" /> New account
          </a>
        )
      }
    >
      <ul class="rules boxed" aria-label="Accounts">
        {accounts.map((each) => (
          <li key={each.account}>
            <a href={`#/accounts/${encodeURIComponent(each.account)}`} data-row>
              <strong>
                {each.name} <small>{each.account}</small>
              </strong>
              <span>{ROLE_WORDS[each.role][0]}</span>
              <span class="hint">{each.sites.length ? each.sites.join(", ") : "every site"}</span>
              {each.disabled ? (
                <Chip tone="warn" icon="block">
                  locked out
                </Chip>
              ) : (
                <Chip icon={each.totp ? "key" : "unlocked"}>{each.totp ? "second factor" : "password only"}</Chip>
              )}
              {each.sessions > 0 && <Chip icon="person">signed in</Chip>}
            </a>
          </li>
        ))}
      </ul>
    </Page>
  );
}

function RoleField({ value, set, error }: { value: Role; set: (role: Role) => void; error: string }) {
  return (
    <Field label="Role" hint={ROLE_WORDS[value][1]} error={error}>
      <select value={value} onChange={(event) => set(event.currentTarget.value as Role)}>
        {Object.entries(ROLE_WORDS).map(([role, [word]]) => (
          <option key={role} value={role}>
            {word}
          </option>
        ))}
      </select>
    </Field>
  );
}

function Sites({ chosen, set, error }: { chosen: string[]; set: (sites: string[]) => void; error: string }) {
  const known = [...new Set([...[...doors.value.values()].map((each) => each.value.site), ...chosen])].sort();
  const flip = (site: string) => set(chosen.includes(site) ? chosen.filter((each) => each !== site) : [...chosen, site].sort());
  return (
    <fieldset>
      <legend>Sites</legend>
      {known.map((site) => (
        <label class="inline" key={site}>
          <input type="checkbox" checked={chosen.includes(site)} onChange={() => flip(site)} /> {site}
        </label>
      ))}
      <p class="hint">{chosen.length ? "They see these alone." : "None is ticked: they see every site."}</p>
      <FieldError error={error} />
    </fieldset>
  );
}

const FIELDS = ["account", "name", "role", "sites", "password", "own_password"];

function NewAccount({ again }: { again: () => Promise<void> }) {
  const account = useSignal("");
  const name = useSignal("");
  const role = useSignal<Role>("guard");
  const sites = useSignal<string[]>([]);
  const password = useSignal("");
  const own = useSignal("");
  const work = useWork();
  const wrong = besides(work.error, FIELDS);
  const add = () =>
    work.run(async () => {
      const body = {
        account: account.value.trim(),
        name: name.value.trim(),
        role: role.value,
        sites: sites.value,
        password: password.value,
        own_password: own.value,
      };
      await ask("/accounts", { body });
      await again();
      go(`/accounts/${encodeURIComponent(body.account)}`);
    });
  return (
    <Page title="New account" back="#/accounts" class="narrow">
      <form class="panel stack" onSubmit={(event) => (event.preventDefault(), void add())}>
        <Field label="Account" hint="What they sign in with: a-z, 0-9, _ and -. It stays as it is." error={wrong.of("account")}>
          <input
            required
            maxLength={40}
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            value={account.value}
            onInput={(event) => (account.value = event.currentTarget.value)}
          />
        </Field>
        <Field label="Name" hint="As people call them." error={wrong.of("name")}>
          <input
            maxLength={120}
            autocomplete="off"
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </Field>
        <RoleField value={role.value} set={(next) => (role.value = next)} error={wrong.of("role")} />
        <Sites chosen={sites.value} set={(next) => (sites.value = next)} error={wrong.of("sites")} />
        <Secret
          label="Their first password"
          kind="new-password"
          text={password}
          error={wrong.of("password")}
          hint="12 characters or more. They change it under Settings."
        />
        <Secret label="Your own password" kind="current-password" text={own} error={wrong.of("own_password")} />
        <Trouble error={wrong.rest} />
        <Button type="submit" kind="main" busy={work.busy} disabled={!account.value.trim() || !password.value || !own.value}>
          Make the account
        </Button>
      </form>
    </Page>
  );
}

function One({ kept, again }: { kept: Account; again: () => Promise<void> }) {
  const may = managesAll();
  return (
    <Page title={kept.name} back="#/accounts" class="narrow">
      <Panel title="Account">
        <dl class="facts">
          <dt>Signs in as</dt>
          <dd>
            <code>{kept.account}</code>
          </dd>
          <dt>State</dt>
          <dd>
            {kept.disabled ? (
              <Chip tone="warn" icon="block">
                locked out
              </Chip>
            ) : (
              <Chip icon="ordinary">may sign in</Chip>
            )}
          </dd>
          <dt>Signed in</dt>
          <dd>{kept.sessions === 0 ? "nowhere" : kept.sessions === 1 ? "in one place" : `in ${kept.sessions} places`}</dd>
          <dt>Second factor</dt>
          <dd>{kept.totp ? "on" : "off"}</dd>
          <dt>Made</dt>
          <dd>
            <Time at={kept.made} />
          </dd>
          <dt>Changed</dt>
          <dd>
            <Time at={kept.changed} />
          </dd>
        </dl>
        {may && <LockOut kept={kept} again={again} />}
      </Panel>
      {may ? <Rights kept={kept} again={again} /> : <Shown kept={kept} />}
      {may && <Ways kept={kept} again={again} />}
    </Page>
  );
}

function Shown({ kept }: { kept: Account }) {
  return (
    <Panel title="May">
      <p>
        {ROLE_WORDS[kept.role][0]}: {ROLE_WORDS[kept.role][1]};{" "}
        {kept.sites.length ? `at ${kept.sites.join(", ")}` : "at every site"}.
      </p>
    </Panel>
  );
}

const at = (kept: Account): string => `/accounts/${encodeURIComponent(kept.account)}`;

/** In a hurry: no password is asked for. It is asked for when they may come in again. */
function LockOut({ kept, again }: { kept: Account; again: () => Promise<void> }) {
  const own = useSignal("");
  const work = useWork();
  const wrong = besides(work.error, ["own_password"]);
  const lock = (disabled: boolean) =>
    work.run(async () => {
      await ask(at(kept), { method: "PATCH", body: { disabled, ...(disabled ? {} : { own_password: own.value }) } });
      own.value = "";
      await again();
      return disabled ? "Locked out: signed out everywhere." : "They may sign in again.";
    });
  const myself = kept.account === session.value?.account;
  return (
    <div class="stack">
      {kept.disabled ? (
        <form class="stack" onSubmit={(event) => (event.preventDefault(), void lock(false))}>
          <Secret label="Your own password" kind="current-password" text={own} error={wrong.of("own_password")} />
          <Button type="submit" busy={work.busy} disabled={!own.value}>
            Let them sign in again
          </Button>
        </form>
      ) : (
        !myself && (
          <span class="row">
            <Button kind="danger" icon="block" busy={work.busy} onClick={() => void lock(true)}>
              Lock out
            </Button>
          </span>
        )
      )}
      {work.done && <p role="status">{work.done}</p>}
      <Trouble error={wrong.rest} />
    </div>
  );
}

function Rights({ kept, again }: { kept: Account; again: () => Promise<void> }) {
  const draft = useDraft(`account/${kept.account}`, { name: kept.name, role: kept.role, sites: kept.sites });
  const own = useSignal("");
  const work = useWork();
  const wrong = besides(work.error, FIELDS);
  const { value, set } = draft;
  const more = value.role !== kept.role || value.sites.join() !== kept.sites.join();
  const save = () =>
    work.run(async () => {
      const body = more ? { ...value, own_password: own.value } : { name: value.name };
      await ask(at(kept), { method: "PATCH", body });
      draft.drop();
      own.value = "";
      await again();
      return "Saved.";
    });
  return (
    <Panel title="May">
      <Field label="Name" error={wrong.of("name")}>
        <input
          maxLength={120}
          autocomplete="off"
          value={value.name}
          onInput={(event) => set({ name: event.currentTarget.value })}
        />
      </Field>
      <RoleField value={value.role} set={(role) => set({ role })} error={wrong.of("role")} />
      <Sites chosen={value.sites} set={(sites) => set({ sites })} error={wrong.of("sites")} />
      {more && (
        <Secret label="Your own password, to save this" kind="current-password" text={own} error={wrong.of("own_password")} />
      )}
      <Trouble error={wrong.rest} />
      <SaveBar changed={draft.changed} ready={!more || own.value !== ""} work={work} save={() => void save()} drop={draft.drop} />
    </Panel>
  );
}

/** What they sign in with. Their own second factor they set up themselves; a manager gives one only where they cannot. */
function Ways({ kept, again }: { kept: Account; again: () => Promise<void> }) {
  const password = useSignal("");
  const own = useSignal("");
  const made = useSignal<Changed | null>(null);
  const work = useWork();
  const wrong = besides(work.error, FIELDS);
  const change = (body: object, done: string) =>
    work.run(async () => {
      const told = await ask<Changed>(at(kept), { method: "PATCH", body: { ...body, own_password: own.value } });
      made.value = told.totp_uri ? told : null;
      password.value = own.value = "";
      await again();
      return done;
    });
  if (kept.account === session.value?.account)
    return (
      <Panel title="Signing in">
        <p>
          Your own password and second factor are under <a href="#/settings">Settings</a>.
        </p>
      </Panel>
    );
  return (
    <Panel title="Signing in">
      <details open={!!made.value || !!work.done}>
        <summary>Another password, or the second factor</summary>
        <div class="stack">
          <p class="hint">Each of these signs them out everywhere.</p>
          <Secret label="Your own password" kind="current-password" text={own} error={wrong.of("own_password")} />
          <form
            class="noteform"
            onSubmit={(event) => (
              event.preventDefault(),
              void change({ password: password.value }, "They have another password.")
            )}
          >
            <input
              type="password"
              autocomplete="new-password"
              aria-label="Their new password"
              placeholder="Their new password"
              maxLength={200}
              value={password.value}
              onInput={(event) => (password.value = event.currentTarget.value)}
            />
            <Button type="submit" busy={work.busy} disabled={!own.value || !password.value}>
              Give it
            </Button>
          </form>
          <FieldError error={wrong.of("password")} />
          <span class="row">
            <Button
              busy={work.busy}
              disabled={!own.value}
              onClick={() => void change({ totp: true }, "Show it to them now: it is told this once.")}
            >
              {kept.totp ? "Another second factor" : "Give a second factor"}
            </Button>
            {kept.totp && (
              <Button
                busy={work.busy}
                disabled={!own.value}
                onClick={() => void change({ totp: false }, "They have no second factor any more.")}
              >
                Take the second factor away
              </Button>
            )}
          </span>
          {work.done && <p role="status">{work.done}</p>}
          {made.value && (
            <>
              <Picture uri={made.value.totp_uri} />
              <code class="key">{made.value.totp_secret}</code>
            </>
          )}
          <Trouble error={wrong.rest} />
        </div>
      </details>
    </Panel>
  );
}
