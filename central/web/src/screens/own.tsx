// One's own password and second factor. The password is asked for again: a page that somebody left open gives neither away.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, besides, session } from "../api";
import { notice } from "./signin";
import { Button, Field, Panel, Trouble, useLoaded, useWork, Working, type Work } from "../ui/parts";

interface Pending {
  secret: string;
  uri: string;
  pending: string;
}

/** The centre has ended every session of the account: on to the first screen, which says why. */
function signedOut(why: string): void {
  notice.value = why;
  session.value = null;
}

export function OwnPassword() {
  const old = useSignal("");
  const fresh = useSignal("");
  const work = useWork();
  const wrong = besides(work.error, ["old", "password"]);
  const change = () =>
    work.run(async () => {
      await ask("/session/password", { body: { old: old.value, new: fresh.value } });
      signedOut("Your password is changed. Sign in with the new one.");
    });
  return (
    <Panel title="Password">
      <details>
        <summary>Change my password</summary>
        <form class="stack" onSubmit={(event) => (event.preventDefault(), void change())}>
          <input
            class="unseen"
            tabIndex={-1}
            aria-hidden="true"
            autocomplete="username"
            value={session.value?.account}
            readOnly
          />
          <Secret label="The present one" kind="current-password" text={old} error={wrong.of("old")} />
          <Secret
            label="The new one"
            kind="new-password"
            text={fresh}
            error={wrong.of("password")}
            hint="12 characters or more; several words are good. You are signed out everywhere."
          />
          <Trouble error={wrong.rest} />
          <Button type="submit" kind="main" busy={work.busy} disabled={!old.value || !fresh.value}>
            Change it
          </Button>
        </form>
      </details>
    </Panel>
  );
}

interface SecretProps {
  label: string;
  kind: "current-password" | "new-password";
  text: { value: string };
  error?: string;
  hint?: string;
}

export function Secret({ label, kind, text, error = "", hint = "" }: SecretProps) {
  return (
    <Field label={label} hint={hint} error={error}>
      <input
        type="password"
        autocomplete={kind}
        required
        maxLength={200}
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
    </Field>
  );
}

export function SecondFactor() {
  const found = useLoaded(() => ask<{ on: boolean }>("/session/totp"), "totp");
  const pending = useSignal<Pending | null>(null);
  const work = useWork();
  const on = found.value?.on ?? false;
  return (
    <Panel title="Second factor">
      {found.value && (
        <p>{on ? "On: a code of your app is asked for when you sign in." : "Off: your password alone lets you in."}</p>
      )}
      {!found.value && !found.error && <Working what="Asking" />}
      <Trouble error={found.error} />
      {found.value && !pending.value && (
        <details>
          <summary>{on ? "Change it or turn it off" : "Set it up"}</summary>
          <Begin on={on} work={work} pending={pending} />
        </details>
      )}
      {pending.value && <Confirm key={pending.value.pending} told={pending.value} drop={() => (pending.value = null)} />}
    </Panel>
  );
}

function Begin({ on, work, pending }: { on: boolean; work: Work; pending: { value: Pending | null } }) {
  const password = useSignal("");
  const code = useSignal("");
  const wrong = besides(work.error, ["password", "code"]);
  const told = () => ({ password: password.value, ...(on ? { code: code.value.trim() } : {}) });
  const begin = () => work.run(async () => void (pending.value = await ask<Pending>("/session/totp", { body: told() })));
  const end = () =>
    work.run(async () => {
      await ask("/session/totp", { method: "DELETE", body: told() });
      signedOut("The second factor is off. Sign in with your password.");
    });
  const ready = password.value !== "" && (!on || code.value.trim() !== "");
  return (
    <form class="stack" onSubmit={(event) => (event.preventDefault(), void begin())}>
      <p class="hint">You need an authenticator app on your phone. Its code is asked for beside the password.</p>
      <Secret label="Your password" kind="current-password" text={password} error={wrong.of("password")} />
      {on && <Code label="A code of the app that you have now" text={code} error={wrong.of("code")} />}
      <Trouble error={wrong.rest} />
      <span class="row">
        <Button type="submit" kind="main" busy={work.busy} disabled={!ready}>
          {on ? "Set up another app" : "Go on"}
        </Button>
        {on && (
          <Button kind="danger" busy={work.busy} disabled={!ready} onClick={() => void end()}>
            Turn it off
          </Button>
        )}
      </span>
    </form>
  );
}

function Code({ label, text, error = "" }: { label: string; text: { value: string }; error?: string }) {
  return (
    <Field label={label} error={error}>
      <input
        inputMode="numeric"
        autocomplete="one-time-code"
        maxLength={6}
        required
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
      />
    </Field>
  );
}

function Confirm({ told, drop }: { told: Pending; drop: () => void }) {
  const code = useSignal("");
  const work = useWork();
  const wrong = besides(work.error, ["code"]);
  const confirm = () =>
    work.run(async () => {
      await ask("/session/totp", { method: "PUT", body: { pending: told.pending, code: code.value.trim() } });
      signedOut("The second factor is on. Sign in with your password and a code.");
    });
  return (
    <form class="stack" onSubmit={(event) => (event.preventDefault(), void confirm())}>
      <p>1. Let the app read this picture, or type the key into it. Show it to nobody.</p>
      <Picture uri={told.uri} />
      <p>
        Key: <code class="key">{told.secret.replace(/(.{4})/g, "$1 ").trim()}</code>{" "}
        <a href={told.uri}>Open in an app on this phone</a>
      </p>
      <Code label="2. The code that the app shows now" text={code} error={wrong.of("code")} />
      <Trouble error={wrong.rest} />
      <span class="row">
        <Button type="submit" kind="main" busy={work.busy} disabled={code.value.trim().length !== 6}>
          Turn it on
        </Button>
        <Button onClick={drop}>Leave it</Button>
      </span>
    </form>
  );
}

/** A QR code that is drawn here: the secret goes to nobody. Dark on light in the dark, too, for cameras want it so. */
export function Picture({ uri }: { uri: string }) {
  const made = useSignal<boolean[][]>([]);
  useEffect(() => {
    void import("uqr").then(({ encode }) => (made.value = encode(uri, { ecc: "M", border: 4 }).data));
  }, [uri]);
  const rows = made.value;
  const path = rows.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ""))).join("");
  return (
    <svg class="qr" role="img" aria-label="QR code of the key" viewBox={`0 0 ${rows.length || 1} ${rows.length || 1}`}>
      <path d={path} />
    </svg>
  );
}
