// Updates: which packages there are, how far each roll-out is, and the buttons to go on, to stop and to go back.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../api";
import { doingNow, inWords, sharesOf, STATE_WORDS, type RollDoor, type Rollout } from "../rollouts";
import { Button, Chip, Empty, Field, Page, Panel, Time, Trouble, Twice, useLoaded, useWork, Working } from "../ui/parts";
import "./updates.css";

interface Package {
  number: number;
  kind: string;
  version: string;
  note: string;
  size_b: number;
  made: string;
  who: string;
}

interface Updates {
  packages: Package[];
  rollouts: Rollout[];
  may_decide: boolean;
}

const LOOK_EVERY_MS = 3000;
const KINDS: Record<string, string> = { rules: "Rules", models: "Models", program: "Program", system: "System" };
const STATES: Record<Rollout["state"], { word: string; tone: string; icon: string }> = {
  running: { word: "Running", tone: "note", icon: "sent" },
  stopped: { word: "Stopped", tone: "alarm", icon: "alarm" },
  done: { word: "Done", tone: "calm", icon: "done" },
  ended: { word: "Ended", tone: "calm", icon: "stop" },
  rolled_back: { word: "Rolled back", tone: "warn", icon: "back" },
};

export function UpdatesScreen() {
  const found = useLoaded(() => ask<Updates>("/updates"), "updates");
  useEffect(() => {
    const timer = setInterval(() => void found.again(), LOOK_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const told = found.value;
  return (
    <Page title="Updates">
      <Trouble error={found.error} />
      {!told && !found.error && <Working what="Asking the centre" />}
      {told?.rollouts.map((each) => (
        <RolloutPanel key={each.id} rollout={each} mayDecide={told.may_decide} again={found.again} />
      ))}
      {told && !told.rollouts.length && <Empty>Nothing was rolled out yet.</Empty>}
      {told && <Packages told={told} again={found.again} />}
    </Page>
  );
}

type Again = { again: () => Promise<void> };

function RolloutPanel({ rollout, mayDecide, again }: { rollout: Rollout; mayDecide: boolean } & Again) {
  const { word, tone, icon } = STATES[rollout.state];
  const beside = rollout.shadow ? ", beside those in force" : "";
  return (
    <Panel
      title={`${KINDS[rollout.kind] ?? rollout.kind} ${rollout.version}${beside}`}
      actions={
        <Chip tone={tone} icon={icon}>
          {word}
        </Chip>
      }
    >
      <p class="hint">
        Roll-out {rollout.id}, begun by {rollout.who} <Time at={rollout.begun} />
      </p>
      {rollout.why && <p role="status">{rollout.why}</p>}
      {rollout.beside && <p role="status">So far, {rollout.beside}.</p>}
      <Waves rollout={rollout} />
      <details>
        <summary>Each door</summary>
        <Doors doors={rollout.doors} />
      </details>
      {mayDecide && <Deeds rollout={rollout} again={again} />}
    </Panel>
  );
}

function Waves({ rollout }: { rollout: Rollout }) {
  const numbers = Array.from({ length: rollout.waves }, (_, number) => number);
  return (
    <ol class="waves">
      {numbers.map((number) => {
        const shares = sharesOf(rollout.doors.filter((each) => each.wave === number));
        return (
          <li key={number}>
            <span>
              Wave {number + 1} of {rollout.waves}
            </span>
            <span class="wavebar" aria-hidden="true">
              {shares.map((share) => (
                <span key={share.state} class={share.state} style={{ width: `${share.percent}%` }} />
              ))}
            </span>
            <span class="words">{inWords(shares)}</span>
          </li>
        );
      })}
    </ol>
  );
}

function Doors({ doors }: { doors: RollDoor[] }) {
  return (
    <table class="rolldoors">
      <thead>
        <tr>
          <th scope="col">Door</th>
          <th scope="col">Wave</th>
          <th scope="col">How far</th>
          <th scope="col">Since</th>
        </tr>
      </thead>
      <tbody>
        {doors.map((each) => (
          <tr key={`${each.site}/${each.door}`}>
            <td>
              <a href={`#/door/${each.site}/${each.door}`}>{each.name}</a>
            </td>
            <td>{each.wave + 1}</td>
            <td>
              {STATE_WORDS[each.state]}
              {doingNow(each) && `: ${doingNow(each)}`}
            </td>
            <td>
              <Time at={each.since} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Deeds({ rollout, again }: { rollout: Rollout } & Again) {
  const work = useWork();
  const deed = (name: string) => () =>
    void work.run(async () => {
      await ask(`/updates/rollouts/${rollout.id}/${name}`, { body: {} });
      await again();
    });
  const promote = () =>
    void work.run(async () => {
      const doors = rollout.doors.map((each) => `${each.site}/${each.door}`);
      await ask("/updates/rollouts", { body: { package: rollout.package, doors } });
      await again();
    });
  const live = rollout.state === "running" || rollout.state === "stopped";
  return (
    <>
      <div class="row">
        {rollout.state === "running" && (
          <Button icon="stop" busy={work.busy} onClick={deed("stop")}>
            Stop
          </Button>
        )}
        {rollout.state === "stopped" && (
          <Button kind="main" busy={work.busy} onClick={deed("go-on")}>
            Go on without the doors that failed
          </Button>
        )}
        {rollout.shadow && !live && rollout.state !== "rolled_back" && (
          <Twice sure="Yes, let them decide" busy={work.busy} act={promote}>
            Put them in force
          </Twice>
        )}
        {rollout.state !== "rolled_back" && (
          <Twice sure="Yes, every door goes back" busy={work.busy} act={deed("roll-back")}>
            Roll back
          </Twice>
        )}
        {live && (
          <Twice sure="Yes, leave the others as they are" busy={work.busy} act={deed("end")}>
            End here
          </Twice>
        )}
      </div>
      <Trouble error={work.error} />
    </>
  );
}

function Packages({ told, again }: { told: Updates } & Again) {
  const chosen = useSignal<number | null>(null);
  return (
    <Panel title="Packages">
      {!told.packages.length && (
        <Empty>
          None was taken in yet. At the centre's console: <code>doorward central update add</code>
        </Empty>
      )}
      <ul class="notes">
        {told.packages.map((each) => (
          <li key={each.number}>
            <div class="rollwhat">
              <strong>
                {KINDS[each.kind] ?? each.kind} {each.version}
              </strong>
              <span class="hint">
                number {each.number}, {size(each.size_b)}, taken in by {each.who} <Time at={each.made} />
              </span>
              {told.may_decide && chosen.value !== each.number && (
                <Button onClick={() => (chosen.value = each.number)}>Roll out …</Button>
              )}
            </div>
            {each.note && <p>{each.note}</p>}
            {chosen.value === each.number && <Begin which={each} close={() => (chosen.value = null)} again={again} />}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Begin({ which, close, again }: { which: Package; close: () => void } & Again) {
  const work = useWork();
  const shadow = useSignal(which.kind === "models");
  const percent = useSignal(10);
  const watch = useSignal(30);
  const begin = () =>
    void work.run(async () => {
      const pace = { watch_min: watch.value };
      const shares = percent.value < 100 ? [percent.value / 100] : [1];
      await ask("/updates/rollouts", { body: { package: which.number, shadow: shadow.value, shares, pace } });
      await again();
      close();
    });
  return (
    <div class="stack">
      <p>One door is first. When it was watched for a while without a new fault, the next wave follows, then all others.</p>
      {which.kind === "models" && (
        <label class="inline">
          <input type="checkbox" checked={shadow.value} onChange={(event) => (shadow.value = event.currentTarget.checked)} /> Run
          them beside those in force first, and compare: nothing is decided by them
        </label>
      )}
      <Field label="Doors in the second wave, percent">
        <input
          type="number"
          min={1}
          max={100}
          value={percent.value}
          onInput={(event) => (percent.value = Math.min(100, Math.max(1, Number(event.currentTarget.value) || 1)))}
        />
      </Field>
      <Field label="Minutes that each door is watched">
        <input
          type="number"
          min={0}
          max={20160}
          value={watch.value}
          onInput={(event) => (watch.value = Math.min(20160, Math.max(0, Number(event.currentTarget.value) || 0)))}
        />
      </Field>
      <div class="row">
        <Twice sure="Yes, begin with one door" busy={work.busy} act={begin}>
          Begin
        </Twice>
        <Button onClick={close}>Not now</Button>
      </div>
      <Trouble error={work.error} />
    </div>
  );
}

const size = (bytes: number): string =>
  bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)} MB` : bytes >= 1e3 ? `${(bytes / 1e3).toFixed(1)} kB` : `${bytes} bytes`;
