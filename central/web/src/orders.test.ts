import { expect, test } from "vitest";
import { answered } from "./orders";

const AT = "2026-03-02T08:30:00Z";

test("only the door's own yes is shown as done", () => {
  const told = (ok: boolean, reason: string) => answered({ id: "a", ok, reason, sentence: "", at: AT }).state;
  expect(told(true, "done")).toBe("done");
  expect(told(false, "stale")).toBe("refused");
  expect(told(false, "no_answer")).toBe("no_answer");
});
