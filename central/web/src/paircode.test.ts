import { expect, test } from "vitest";
import { spelt, until } from "./paircode";

test("every sign of a code has a word that cannot be misheard", () => {
  const all = "34679ACDEFGHJKLMNPQRTWXY";
  expect(spelt(all).every((each) => each.word.length > 2 && each.word[0] !== undefined)).toBe(true);
  expect(spelt("K7").map((each) => each.word)).toEqual(["Kilo", "Seven"]);
});

test("a code counts down to nothing and stays there", () => {
  expect(until(900_000, 0)).toBe("15:00");
  expect(until(65_001, 0)).toBe("1:06");
  expect(until(1000, 5000)).toBe("0:00");
});
