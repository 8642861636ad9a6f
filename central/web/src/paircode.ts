// A door's code as it is read over the telephone. Pure.

/** ICAO's spelling alphabet, of the characters that codes are made of. */
const WORDS: Readonly<Record<string, string>> = {
  "3": "Three",
  "4": "Four",
  "6": "Six",
  "7": "Seven",
  "9": "Nine",
  A: "Alfa",
  C: "Charlie",
  D: "Delta",
  E: "Echo",
  F: "Foxtrot",
  G: "Golf",
  H: "Hotel",
  J: "Juliett",
  K: "Kilo",
  L: "Lima",
  M: "Mike",
  N: "November",
  P: "Papa",
  Q: "Quebec",
  R: "Romeo",
  T: "Tango",
  W: "Whiskey",
  X: "X-ray",
  Y: "Yankee",
};

export const spelt = (code: string): { sign: string; word: string }[] =>
  [...code].map((sign) => ({ sign, word: WORDS[sign] ?? sign }));

/** `14:05`; `0:00` when it is over. */
export function until(ends: number, now: number): string {
  const s = Math.max(0, Math.ceil((ends - now) / 1000));
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
}
