import { expect, test } from "vitest";
import { intervalsOf, minuteOf, NEVER, openIn, painted, weekOf, weekText, withDay } from "./week";

const OFFICE = [{ days: [0, 1, 2, 3, 4], from_min: 480, until_min: 1020 }];

test("what comes from the centre goes back as it was", () => {
  expect(intervalsOf(weekOf(OFFICE))).toEqual(OFFICE);
});

test("hours are added and taken out of the middle", () => {
  const week = painted(weekOf(OFFICE), 0, 720, 780, false);
  expect(week[0]).toEqual([
    [480, 720],
    [780, 1020],
  ]);
  expect(painted(week, 0, 720, 780, true)).toEqual(weekOf(OFFICE));
  expect(painted(NEVER, 6, 60, 120, true)[6]).toEqual([[60, 120]]);
});

test("an hour that is open in part says which part", () => {
  expect(openIn([[495, 1020]], 480, 540)).toEqual([[495, 540]]);
  expect(openIn([[495, 1020]], 420, 480)).toEqual([]);
});

test("a week is told in one line", () => {
  expect(weekText(weekOf(OFFICE))).toBe("Mon–Fri 08:00–17:00");
  expect(weekText(withDay(weekOf(OFFICE), 5, [[0, 1440]]))).toBe("Mon–Fri 08:00–17:00; Sat all day");
  expect(weekText(weekOf([{ days: [0, 1, 2, 3, 4, 5, 6], from_min: 0, until_min: 1440 }]))).toBe("always");
  expect(weekText(NEVER)).toBe("never");
});

test("a time that is none is none", () => {
  expect([minuteOf("24:00"), minuteOf("08:15"), minuteOf("24:01"), minuteOf("")]).toEqual([1440, 495, null, null]);
});
