// Whether somebody is there: to watch is work, too, but a screen that nobody looks at must not stay open for ever.

import { effect, signal } from "@preact/signals";
import { ask, session } from "./api";

const SAY_EVERY_MS = 60_000;
/** So long before the session ends the page asks. */
export const ASKS_S = 300;
const SIGNS = ["pointerdown", "pointermove", "keydown", "wheel", "touchstart"];

let movedAt = Date.now();
let saidAt = 0;
/** How many seconds are left, while it asks whether somebody is there; null while it need not ask. */
export const left = signal<number | null>(null);

export function startAwake(): void {
  for (const name of SIGNS) document.addEventListener(name, moved, { passive: true, capture: true });
  document.addEventListener("visibilitychange", () => void say());
  setInterval(() => void say(), 5000);
  effect(() => {
    if (session.value === null) left.value = null;
  });
}

function moved(): void {
  movedAt = Date.now();
  if (left.value !== null) void say(true);
}

/** Says how long nobody has moved a hand; more often while the page asks. */
async function say(now = false): Promise<void> {
  if (!session.value || document.hidden) return;
  if (!now && Date.now() - saidAt < (left.value === null ? SAY_EVERY_MS : 5000)) return;
  saidAt = Date.now();
  try {
    const told = await ask<{ lasts_s: number }>("/session/awake", { body: { quiet_s: Math.max(0, (saidAt - movedAt) / 1000) } });
    const asks = told.lasts_s < ASKS_S && saidAt - movedAt > SAY_EVERY_MS;
    if (asks && left.value === null) ring();
    left.value = asks ? told.lasts_s : null;
  } catch {
    // Not reached: the page says so elsewhere. Ended: it asks to sign in.
  }
}

/** Two short tones: whoever watches may look elsewhere. A browser that lets no page sound before it was touched stays silent. */
function ring(): void {
  try {
    const sound = new AudioContext();
    for (const at of [0, 0.35]) {
      const tone = sound.createOscillator();
      const loudness = sound.createGain();
      loudness.gain.value = 0.2;
      tone.frequency.value = 880;
      tone.connect(loudness).connect(sound.destination);
      tone.start(sound.currentTime + at);
      tone.stop(sound.currentTime + at + 0.2);
    }
  } catch {
    // no sound on this device
  }
}
