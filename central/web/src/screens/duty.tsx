// The weekly plan of who is on duty, and when somebody sleeps. Guards plan themselves, managers everybody.

import { ask, besides, session } from "../api";
import { dutyText, hoursOf, weekOfHours, type Duty, type DutyNow } from "../duty";
import { route } from "../route";
import { Chip, Empty, Field, Page, Panel, SaveBar, Trouble, useDraft, useLoaded, useWork, Working } from "../ui/parts";
import { WeekEditor, WeekGrid } from "../ui/week";

const HERE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const SWITCHES: Record<Duty["switch"], string> = {
  roster: "As planned",
  on: "On, whatever the plan says",
  off: "Off, whatever the plan says",
};

export function DutyScreen() {
  const [account = ""] = route.value.parts;
  const found = useLoaded(() => ask<DutyNow>("/duty"), "duty");
  if (!found.value)
    return <Page title="Duty">{found.error ? <Trouble error={found.error} /> : <Working what="Asking who is on duty" />}</Page>;
  if (!account) return <All now={found.value} />;
  const one = found.value.people.find((each) => each.duty.account === account);
  if (!one)
    return (
      <Page title={account} back="#/duty">
        <Empty>There is nobody of that name whom alerts may reach.</Empty>
      </Page>
    );
  return <One key={account} duty={one.duty} again={found.again} />;
}

function All({ now }: { now: DutyNow }) {
  return (
    <Page title="Duty">
      {!now.now.length && <Trouble error="Nobody is on duty now: an alert rings all guards at once." />}
      <ul class="rules boxed" aria-label="Who is on duty">
        {now.people.map(({ duty, role, on_now, devices }) => (
          <li key={duty.account}>
            <a href={`#/duty/${encodeURIComponent(duty.account)}`} data-row>
              <strong>
                {duty.account} <small>{role}</small>
              </strong>
              {on_now ? <Chip icon="bell">on duty now</Chip> : <span>off duty now</span>}
              <span>{dutyText(duty)}</span>
              {devices > 0 ? (
                <span class="hint">
                  {devices} {devices === 1 ? "device" : "devices"}
                </span>
              ) : (
                <Chip tone="warn" icon="alarm">
                  no device: not rung
                </Chip>
              )}
            </a>
          </li>
        ))}
      </ul>
    </Page>
  );
}

function One({ duty, again }: { duty: Duty; again: () => Promise<void> }) {
  const planned = duty.hours.length > 0 || duty.quiet.length > 0;
  const kept = planned ? duty : { ...duty, timezone: duty.timezone === "UTC" ? HERE : duty.timezone };
  const draft = useDraft<Duty>(`duty/${duty.account}`, kept);
  const work = useWork();
  const wrong = besides(work.error, ["timezone"]);
  const may = session.value?.role === "manager" || session.value?.account === duty.account;
  const { value, set } = draft;
  const save = () =>
    work.run(async () => {
      await ask("/duty", { method: "PUT", body: value });
      draft.drop();
      await again();
      return "Saved.";
    });
  return (
    <Page title={`Duty of ${duty.account}`} back="#/duty" class="narrow">
      <fieldset class="stack" disabled={!may}>
        <Panel title="Now">
          <Field label="On duty">
            <select value={value.switch} onChange={(event) => set({ switch: event.currentTarget.value as Duty["switch"] })}>
              {Object.entries(SWITCHES).map(([name, words]) => (
                <option key={name} value={name}>
                  {words}
                </option>
              ))}
            </select>
          </Field>
        </Panel>
        <Panel title="On duty every week">
          <p>{dutyText({ ...value, switch: "roster" })}</p>
          {may ? (
            <WeekEditor
              week={weekOfHours(value.hours)}
              set={(week) => set({ hours: hoursOf(week) })}
              label="Hours of duty in the week"
            />
          ) : (
            <WeekGrid week={weekOfHours(value.hours)} label="Hours of duty in the week" />
          )}
        </Panel>
        <Panel title="Quiet hours">
          <p class="hint">Only what is urgent rings then, duty or not.</p>
          <details open={value.quiet.length > 0}>
            <summary>{value.quiet.length ? dutyText({ ...value, switch: "roster", hours: value.quiet }) : "none"}</summary>
            <WeekEditor
              week={weekOfHours(value.quiet)}
              set={(week) => set({ quiet: hoursOf(week) })}
              label="Quiet hours of the week"
            />
          </details>
          <Field label="Time zone" error={wrong.of("timezone")}>
            <input
              autocapitalize="none"
              spellcheck={false}
              maxLength={60}
              value={value.timezone}
              onInput={(event) => set({ timezone: event.currentTarget.value.trim() })}
            />
          </Field>
        </Panel>
      </fieldset>
      <Trouble error={wrong.rest} />
      {may ? (
        <SaveBar changed={draft.changed} work={work} save={() => void save()} drop={draft.drop} />
      ) : (
        <p class="hint">They themselves and managers may change it.</p>
      )}
    </Page>
  );
}
