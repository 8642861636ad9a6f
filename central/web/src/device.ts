// What this device is called in the list of those that alerts reach.

interface Hints {
  mobile: boolean;
  platform: string;
  brands: { brand: string }[];
  getHighEntropyValues(hints: string[]): Promise<{ model?: string }>;
}

/** As its owner would call it: `Pixel 8, Chrome`, `iPhone, Safari`, `Windows computer, Firefox`. */
export async function deviceName(): Promise<string> {
  const hints = (navigator as { userAgentData?: Hints }).userAgentData;
  const model = hints ? (await hints.getHighEntropyValues(["model"]).catch(() => ({ model: "" }))).model : "";
  const brand = hints?.brands.map((each) => each.brand).find((each) => /^(Google Chrome|Microsoft Edge|Opera|Brave)$/.test(each));
  const browser = brand?.replace(/^(Google|Microsoft) /, "") ?? browserIn(navigator.userAgent);
  return `${model || machineIn(navigator.userAgent)}, ${browser}`;
}

const firstOf = (text: string, names: [string, string][], other: string): string =>
  names.find(([part]) => text.includes(part))?.[1] ?? other;

export const browserIn = (agent: string): string =>
  firstOf(
    agent,
    [
      ["Edg", "Edge"],
      ["OPR", "Opera"],
      ["SamsungBrowser", "Samsung Internet"],
      ["Firefox", "Firefox"],
      ["FxiOS", "Firefox"],
      ["CriOS", "Chrome"],
      ["Chrom", "Chrome"],
      ["Safari", "Safari"],
    ],
    "browser",
  );

export const machineIn = (agent: string): string =>
  firstOf(
    agent,
    [
      ["iPhone", "iPhone"],
      ["iPad", "iPad"],
      ["Android", "Android device"],
      ["Windows", "Windows computer"],
      ["CrOS", "Chromebook"],
      ["Macintosh", "Mac"],
      ["Linux", "Linux computer"],
    ],
    "device",
  );
