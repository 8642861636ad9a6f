// What a door's states come to, in one word that is true. Pure: no screen, no clock.

import type { Band, DoorNow } from "./api";

/** How loud a state is: `lost` is what nobody knows any more. */
export type Tone = "calm" | "note" | "warn" | "alarm" | "lost";

export interface Standing {
  word: string;
  icon: string;
  tone: Tone;
  /** What the door said last, when it is not there to say it now. */
  detail: string;
}

const MODES: Record<string, [string, string, Tone]> = {
  LockedDown: ["Locked down", "lockdown", "alarm"],
  Blocked: ["Blocked", "block", "warn"],
  LockedOpen: ["Locked open", "unlocked", "warn"],
  Unlocked: ["Unlocked", "unlocked", "note"],
};

/** Somebody ordered it: nothing else is obeyed before it is released. */
export const isHeldShut = (door: DoorNow): boolean => door.mode === "LockedDown" || door.mode === "Blocked";

const ALARMS: Record<string, [string, string, Tone]> = {
  forced: ["Forced open", "alarm", "alarm"],
  propped: ["Propped open", "open", "alarm"],
  held: ["Held open", "open", "warn"],
};

/** The worst first: a door that does not answer is never shown as what it was. */
export function standing(door: DoorNow): Standing {
  const told = lastTold(door);
  if (!door.online)
    return { word: "Offline", icon: "offline", tone: "lost", detail: told ? `last known: ${told}` : "never heard" };
  const alarm = ALARMS[door.alarm ?? ""];
  if (alarm) return as(alarm, modeWord(door));
  if (door.lock === "jammed")
    return { word: "Jammed", icon: "jammed", tone: "alarm", detail: "the lock does not do what it is told" };
  const missing = unknown(door);
  if (missing) return { word: "Unknown", icon: "unknown", tone: "warn", detail: missing };
  const mode = MODES[door.mode ?? ""];
  if (mode) return as(mode, door.contact === "open" ? "standing open" : "closed");
  if (door.contact === "open")
    return { word: "Open", icon: "open", tone: "note", detail: door.lock === "released" ? "let go" : "" };
  if (door.lock === "released") return { word: "Released", icon: "unlocked", tone: "note", detail: "closed" };
  return { word: "Secured", icon: "locked", tone: "calm", detail: "closed" };
}

function as([word, icon, tone]: [string, string, Tone], detail: string): Standing {
  return { word, icon, tone, detail };
}

function modeWord(door: DoorNow): string {
  return MODES[door.mode ?? ""]?.[0].toLowerCase() ?? "";
}

function unknown(door: DoorNow): string {
  if (door.contact === "unknown") return "the door contact does not answer";
  const silent = [
    ["lock", door.lock],
    ["contact", door.contact],
    ["mode", door.mode],
  ].filter(([, value]) => value === null || value === undefined);
  return silent.length ? `${silent.map(([name]) => name).join(", ")}: not told yet` : "";
}

function lastTold(door: DoorNow): string {
  return [door.lock, door.contact, MODES[door.mode ?? ""]?.[0].toLowerCase()].filter(Boolean).join(", ");
}

const TONES: Tone[] = ["alarm", "warn", "lost", "note", "calm"];
export const BANDS: Band[] = ["critical", "high", "raised", "ordinary"];

export function bandOf(door: DoorNow): Band {
  return door.risk && BANDS.includes(door.risk.band) ? door.risk.band : "ordinary";
}

export const isAbove = (band: Band): boolean => band !== "ordinary";

/** What wants to be looked at first: the worst risks and alarms, then what is less so or not known; a risk before a state. */
export function urgency(door: DoorNow): number {
  const tone = TONES.indexOf(standing(door).tone);
  const band = BANDS.indexOf(door.online ? bandOf(door) : "ordinary");
  return Math.min(tone * 2 + 1, band * 2);
}

export function compare(a: DoorNow, b: DoorNow): number {
  return urgency(a) - urgency(b) || titleOf(a).localeCompare(titleOf(b));
}

export const titleOf = (door: { name?: string; door: string }): string => door.name || door.door;

export function matches(door: DoorNow, text: string, only: string): boolean {
  const wanted = text.trim().toLowerCase();
  const about = `${door.name} ${door.door} ${door.site} ${door.zone} ${standing(door).word} ${bandOf(door)}`.toLowerCase();
  if (wanted && !wanted.split(/\s+/).every((word) => about.includes(word))) return false;
  if (only === "attention") return urgency(door) < 6 || door.health?.ok === false;
  if (only === "offline") return !door.online;
  if (only === "risk") return door.online && isAbove(bandOf(door));
  if (only === "faults") return door.health?.ok === false;
  return true;
}
