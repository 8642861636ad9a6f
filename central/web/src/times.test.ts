import { expect, test } from "vitest";
import { lasted, when } from "./times";

test("a time of today is told to the second, an older one with its day", () => {
  const now = new Date(2026, 2, 2, 12, 0, 0);
  expect(when(new Date(2026, 2, 2, 3, 12, 5), now)).toMatch(/^03:12:05$/);
  expect(when(new Date(2026, 2, 1, 3, 12, 5), now)).toMatch(/1.*03:12:05$/);
});

test("lengths of time have units", () => {
  expect(lasted(8.4)).toBe("8 s");
  expect(lasted(125)).toBe("2 min 5 s");
  expect(lasted(7380)).toBe("2 h 3 min");
});
