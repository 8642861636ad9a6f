// What a roll-out's numbers mean, in words.

export type DoorState = "waiting" | "ordered" | "watched" | "through" | "failed" | "left_out" | "going_back" | "back";

export const STATE_WORDS: Record<DoorState, string> = {
  through: "runs it",
  watched: "runs it, being watched",
  ordered: "ordered",
  waiting: "waiting",
  failed: "failed",
  left_out: "left as it is",
  going_back: "going back",
  back: "is back",
};

/** In the order in which a bar shows them. */
export const STATES = Object.keys(STATE_WORDS) as DoorState[];

export interface RollDoor {
  site: string;
  door: string;
  name: string;
  wave: number;
  state: DoorState;
  detail: string;
  since: string | null;
  parts: number;
  parts_missing: number;
  hindered: string;
}

export interface Rollout {
  id: number;
  kind: string;
  package: number;
  version: string;
  shadow: boolean;
  state: "running" | "stopped" | "done" | "ended" | "rolled_back";
  why: string;
  wave: number;
  waves: number;
  begun: string;
  changed: string;
  who: string;
  beside: string;
  doors: RollDoor[];
}

export interface Share {
  state: DoorState;
  count: number;
  percent: number;
}

/** How many doors of a wave are how far. */
export function sharesOf(doors: RollDoor[]): Share[] {
  return STATES.map((state) => {
    const count = doors.filter((each) => each.state === state).length;
    return { state, count, percent: doors.length ? (100 * count) / doors.length : 0 };
  }).filter((share) => share.count > 0);
}

export const inWords = (shares: Share[]): string => shares.map(({ state, count }) => `${count} ${STATE_WORDS[state]}`).join(", ");

/** What a door is doing with it now. */
export function doingNow(door: RollDoor): string {
  if (door.detail) return door.detail;
  if (door.hindered) return door.hindered;
  if (door.state === "ordered" && door.parts) return `${door.parts - door.parts_missing} of ${door.parts} parts are there`;
  return "";
}
