import { expect, test } from "vitest";
import { hoursOf, weekOfHours } from "./duty";
import { weekText } from "./week";

test("a night shift is two spans of two days, and goes back as such", () => {
  const week = weekOfHours([{ days: [4], begin: "22:00", end: "06:00" }]);
  expect(weekText(week)).toBe("Fri 22:00–24:00; Sat 00:00–06:00");
  expect(hoursOf(week)).toEqual([
    { days: [4], begin: "22:00", end: "24:00" },
    { days: [5], begin: "00:00", end: "06:00" },
  ]);
  expect(weekOfHours(hoursOf(week))).toEqual(week);
});

test("from six to six is all round the clock", () => {
  const week = weekOfHours([{ days: [0, 1, 2, 3, 4, 5, 6], begin: "06:00", end: "06:00" }]);
  expect(weekText(week)).toBe("always");
});
