// Enrolment at a door's own camera. What to do is written so large that whoever stands there reads it from two metres.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, doorKey, query, type DoorNow } from "../api";
import { compare, titleOf } from "../doors";
import { doors } from "../state";
import { Icon } from "../ui/icons";
import { Button, Field, Trouble, useWork } from "../ui/parts";
import type { Seen } from "./enrol";
import "./enrolatdoor.css";

interface AtDoor {
  n: number;
  running: boolean;
  sentence: string;
  left_s: number;
  seen: Seen | null;
}

const PATIENCE_MS = 20_000;

export function EnrolAtDoor({ session, seen }: { session: string; seen: Signal<Seen | null> }) {
  const now = useSignal<AtDoor | null>(null);
  const work = useWork();
  const follows = useWork();
  const at = `/enrolment/${session}/door`;
  const take = (told: AtDoor) => {
    now.value = told;
    if (told.seen) seen.value = told.seen;
  };
  const begin = (door: DoorNow) =>
    work.run(async () => take(await ask<AtDoor>(at, { body: { site: door.site, door: door.door }, timeout_ms: PATIENCE_MS })));
  const running = now.value?.running ?? false;
  useEffect(() => {
    if (!running) return;
    let goes = true;
    const follow = async (): Promise<void> => {
      while (goes && now.value?.running) {
        const told = await ask<AtDoor>(`${at}${query({ after: now.value.n })}`, { timeout_ms: PATIENCE_MS });
        if (goes) take(told);
      }
    };
    void follows.run(follow);
    return () => void (goes = false);
  }, [running]);
  useEffect(() => () => void ask(at, { method: "DELETE" }).catch(() => undefined), []);
  return (
    <div class="stack">
      {running || isDone(now.value) ? (
        <Guide now={now.value!} />
      ) : (
        <Choose begin={begin} busy={work.busy} over={now.value?.sentence ?? ""} />
      )}
      {running && (
        <div class="row">
          <Button icon="stop" onClick={() => void ask(at, { method: "DELETE" }).catch(() => undefined)}>
            Leave the door
          </Button>
          <span class="hint num">at most {Math.ceil(now.value!.left_s)} s more</span>
        </div>
      )}
      <Trouble error={work.error ?? follows.error} />
    </div>
  );
}

function Choose({ begin, busy, over }: { begin: (door: DoorNow) => Promise<unknown>; busy: boolean; over: string }) {
  const known = [...doors.value.values()]
    .map((each) => each.value)
    .filter((each) => each.online)
    .sort((a, b) => titleOf(a).localeCompare(titleOf(b)) || compare(a, b));
  const chosen = useSignal("");
  const door = known.find((each) => doorKey(each) === chosen.value) ?? known[0];
  return (
    <div class="stack">
      {over && <p role="status">It is over at the door: {over}.</p>}
      <Field
        label="Door"
        hint="The person stands before its camera. No picture leaves the door; templates come sealed. It works as a door meanwhile."
      >
        <select value={door ? doorKey(door) : ""} onChange={(event) => (chosen.value = event.currentTarget.value)}>
          {known.map((each) => (
            <option key={doorKey(each)} value={doorKey(each)}>
              {titleOf(each)} ({doorKey(each)})
            </option>
          ))}
        </select>
      </Field>
      {!door && <p class="hint">No door is online.</p>}
      <div class="row">
        <Button icon="camera" kind="main" busy={busy} disabled={!door} onClick={() => void begin(door!)}>
          {over ? "Begin again" : "Begin at this door"}
        </Button>
      </div>
    </div>
  );
}

const TURNS: Record<string, string> = {
  front: "M60 12v40M46 38l14 14 14-14",
  left: "M104 60H16M40 36L16 60l24 24",
  right: "M16 60h88M80 36l24 24-24 24",
  done: "M22 64l26 26 52-58",
  hold: "M60 24a36 36 0 1 0 0 72 36 36 0 0 0 0-72z",
  wait: "M60 20v52M60 94v4",
};

/** Whoever stands there is told that they may go. */
const isDone = (now: AtDoor | null): boolean => now?.seen?.poses_wanted.length === 0;

/** Which way: whoever faces the screen has their own left on its left. */
function turnOf(seen: Seen | null): string {
  if (!seen) return "front";
  if (seen.poses_wanted.length === 0) return "done";
  if (seen.fit && seen.sentence.includes("hold still")) return "hold";
  if (!seen.fit && seen.reason !== "pose_done") return "wait";
  return seen.poses_wanted[0]!;
}

function Guide({ now }: { now: AtDoor }) {
  const seen = now.seen;
  const turn = turnOf(seen);
  return (
    <div class={`guide turn-${turn}`}>
      <svg class="guideturn" viewBox="0 0 120 120" aria-hidden="true" focusable="false">
        <path d={TURNS[turn]} />
      </svg>
      <p class="guideword" aria-live="assertive">
        {turn === "done" ? "thank you: all pictures are there" : seen ? seen.sentence : "stand before the door's camera"}
      </p>
      <ul class="guideposes" aria-label="Pictures">
        {["left", "front", "right"].map((pose) => {
          const done = seen?.poses_done.includes(pose) ?? false;
          return (
            <li key={pose} class={done ? "done" : ""}>
              <Icon name={done ? "done" : "camera"} /> {pose === "front" ? "straight" : pose}
              <span class="only-heard">{done ? ": done" : ": wanted"}</span>
            </li>
          );
        })}
      </ul>
      <label class="guidequality">
        <span>How clear the face is</span>
        <meter min={0} low={0.6} optimum={1} max={1} value={seen?.quality ?? 0} />
      </label>
    </div>
  );
}
