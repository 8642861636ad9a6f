import { expect, test } from "vitest";
import { browserIn, machineIn } from "./device";

const IPHONE =
  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
const EDGE =
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0";
const ANDROID = "Mozilla/5.0 (Android 14; Mobile; rv:132.0) Gecko/132.0 Firefox/132.0";

test("a device is called as its owner would call it", () => {
  expect([IPHONE, EDGE, ANDROID].map((agent) => `${machineIn(agent)}, ${browserIn(agent)}`)).toEqual([
    "iPhone, Safari",
    "Windows computer, Edge",
    "Android device, Firefox",
  ]);
});
