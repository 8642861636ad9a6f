import { expect, test } from "vitest";
import type { DoorNow } from "./api";
import { compare, matches, standing } from "./doors";

function door(now: Partial<DoorNow> = {}): DoorNow {
  return {
    site: "hq",
    door: "front",
    name: "Front door",
    zone: "Lobby",
    online: true,
    since: null,
    mode: "Locked",
    lock: "secured",
    contact: "closed",
    alarm: "none",
    risk: null,
    people: null,
    health: { ok: true, faults: [] },
    access: null,
    last: null,
    ...now,
  };
}

test("a door that is shut and locked is secured", () => {
  expect(standing(door())).toMatchObject({ word: "Secured", tone: "calm" });
});

test("a door that left is offline, whatever it said last", () => {
  const shown = standing(door({ online: false, alarm: "forced" }));
  expect(shown).toMatchObject({ word: "Offline", tone: "lost", detail: "last known: secured, closed" });
});

test("a door that was never heard has no last known state", () => {
  expect(standing(door({ online: false, lock: null, contact: null, mode: null })).detail).toBe("never heard");
});

test("a door whose states have not come is unknown and says which", () => {
  expect(standing(door({ lock: null }))).toMatchObject({ word: "Unknown", detail: "lock: not told yet" });
});

test("jammed comes before a mode, forced before jammed", () => {
  expect(standing(door({ lock: "jammed", mode: "LockedDown" })).word).toBe("Jammed");
  expect(standing(door({ lock: "jammed", alarm: "forced" })).word).toBe("Forced open");
});

test("a contact that does not answer is not taken for closed", () => {
  expect(standing(door({ contact: "unknown" })).word).toBe("Unknown");
});

test("what wants to be looked at comes first", () => {
  const risky = door({ name: "B", risk: { band: "critical", sentence: "", zone: null } });
  const forced = door({ name: "C", alarm: "forced" });
  const calm = door({ name: "A" });
  const lost = door({ name: "D", online: false });
  expect([calm, lost, risky, forced].sort(compare).map((each) => each.name)).toEqual(["B", "C", "D", "A"]);
});

test("a door is found by any words about it", () => {
  expect(matches(door(), "lobby secured", "")).toBe(true);
  expect(matches(door(), "lobby forced", "")).toBe(false);
  expect(matches(door({ online: false }), "", "offline")).toBe(true);
});
