import { expect, test } from "vitest";
import { doingNow, inWords, sharesOf, type DoorState, type RollDoor } from "./rollouts";

const door = (state: DoorState, more: Partial<RollDoor> = {}): RollDoor => ({
  site: "hq",
  door: "front",
  name: "Front",
  wave: 0,
  state,
  detail: "",
  since: null,
  parts: 0,
  parts_missing: 0,
  hindered: "",
  ...more,
});

test("a bar is whole, and says in words what it shows", () => {
  const shares = sharesOf([door("through"), door("through"), door("failed"), door("waiting")]);
  expect(shares.reduce((sum, each) => sum + each.percent, 0)).toBe(100);
  expect(inWords(shares)).toBe("2 runs it, 1 waiting, 1 failed");
});

test("a door that cannot take it says why, and one that is fetching it says how far it is", () => {
  expect(doingNow(door("ordered", { hindered: "the disk is full" }))).toBe("the disk is full");
  expect(doingNow(door("ordered", { parts: 9, parts_missing: 2 }))).toBe("7 of 9 parts are there");
  expect(doingNow(door("failed", { detail: "fell silent", parts: 9 }))).toBe("fell silent");
});
