// Name and password; a code when the account has one.

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, Refused, session, type Session } from "../api";
import { lastHeard, link } from "../state";
import { clock } from "../times";
import { Icon } from "../ui/icons";
import { Button, Field, Trouble, useWork } from "../ui/parts";

/** Why one has to sign in (again). */
export const notice = signal("");

export function SignIn() {
  const account = useSignal("");
  const password = useSignal("");
  const code = useSignal("");
  const asksCode = useSignal(false);
  const other = useSignal("");
  const work = useWork();
  useEffect(() => {
    document.title = "Sign in · Doorward";
    ask<{ oidc: string }>("/session/ways").then(
      (ways) => (other.value = ways.oidc),
      () => undefined, // the password is a way in all the same
    );
  }, []);
  const enter = () =>
    work.run(async () => {
      const told = {
        account: account.value.trim(),
        password: password.value,
        ...(asksCode.value ? { code: code.value.trim() } : {}),
      };
      try {
        session.value = await ask<Session>("/session", { body: told });
        notice.value = "";
      } catch (error) {
        if (!(error instanceof Refused) || error.code !== "code_needed") throw error;
        const first = !asksCode.value;
        asksCode.value = true;
        if (!first) throw error;
      }
    });
  return (
    <main class="signin">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <h1>
          <Icon name="door" /> Doorward
        </h1>
        {link.value === "cut" && lastHeard.value && (
          <p class="trouble" role="alert">
            Not connected since {clock(lastHeard.value)}.
          </p>
        )}
        {notice.value && <p role="status">{notice.value}</p>}
        <Field label="Account">
          <input
            name="account"
            autocomplete="username"
            autocapitalize="none"
            spellcheck={false}
            required
            value={account.value}
            onInput={(event) => (account.value = event.currentTarget.value)}
          />
        </Field>
        <Field label="Password">
          <input
            name="password"
            type="password"
            autocomplete="current-password"
            required
            value={password.value}
            onInput={(event) => (password.value = event.currentTarget.value)}
          />
        </Field>
        {asksCode.value && (
          <Field label="Code" hint="Six digits, from your authenticator app.">
            <input
              name="code"
              inputMode="numeric"
              autocomplete="one-time-code"
              pattern="[0-9]{6}"
              required
              ref={(field) => field?.focus()}
              value={code.value}
              onInput={(event) => (code.value = event.currentTarget.value)}
            />
          </Field>
        )}
        <Trouble error={work.error} />
        <Button type="submit" kind="main" busy={work.busy}>
          Sign in
        </Button>
        {other.value && (
          <a class="button plain" href="/api/session/oidc">
            Sign in by {other.value}
          </a>
        )}
      </form>
    </main>
  );
}
