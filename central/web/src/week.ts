// Hours of a week: spans of minutes by day, 0 is Monday and 1440 the end of a day. Pure, tested.

export type Span = readonly [from: number, until: number];
/** Seven days, each with its spans. While somebody types, one may end before it begins. */
export type Week = readonly (readonly Span[])[];

export interface Interval {
  days: number[];
  from_min: number;
  until_min: number;
}

export const DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"] as const;
export const DAY_END = 1440;
export const NEVER: Week = DAYS.map(() => []);

export function weekOf(intervals: readonly Interval[]): Week {
  return DAYS.map((_, day) =>
    tidied(intervals.filter((each) => each.days.includes(day)).map((each): Span => [each.from_min, each.until_min])),
  );
}

/** Spans that several days share are one interval; whatever is wrong in them goes along, for the centre to say. */
export function intervalsOf(week: Week): Interval[] {
  const found = new Map<string, Interval>();
  week.forEach((spans, day) =>
    spans.forEach(([from_min, until_min]) => {
      const same = found.get(`${from_min}-${until_min}`) ?? { days: [], from_min, until_min };
      if (!same.days.includes(day)) same.days.push(day);
      found.set(`${from_min}-${until_min}`, same);
    }),
  );
  return [...found.values()];
}

/** In order, without gaps of nothing between two that meet. */
export function tidied(spans: readonly Span[]): Span[] {
  const done: Span[] = [];
  for (const [from, until] of [...spans].filter(isSound).sort((a, b) => a[0] - b[0])) {
    const last = done.at(-1);
    if (last && from <= last[1]) done[done.length - 1] = [last[0], Math.max(last[1], until)];
    else done.push([from, until]);
  }
  return done;
}

export const isSound = ([from, until]: Span): boolean => from >= 0 && from < until && until <= DAY_END;

/** The week with one stretch of a day open, or shut. */
export function painted(week: Week, day: number, from: number, until: number, open: boolean): Week {
  const before = week[day]!;
  const after = open
    ? tidied([...before, [from, until]])
    : tidied(
        before.flatMap(([begin, end]): Span[] => [
          [begin, Math.min(end, from)],
          [Math.max(begin, until), end],
        ]),
      );
  return withDay(week, day, after);
}

export const withDay = (week: Week, day: number, spans: readonly Span[]): Week =>
  week.map((each, at) => (at === day ? spans : each));

/** What of a stretch is open, as parts of it from 0 to 1. */
export function openIn(spans: readonly Span[], from: number, until: number): Span[] {
  return tidied(spans)
    .map(([begin, end]): Span => [Math.max(begin, from), Math.min(end, until)])
    .filter(([begin, end]) => begin < end);
}

export const clockOf = (minute: number): string =>
  `${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;

/** Of HH:MM; null for what is no time. */
export function minuteOf(clock: string): number | null {
  const told = /^([01]\d|2[0-4]):([0-5]\d)/.exec(clock);
  const minute = told ? Number(told[1]) * 60 + Number(told[2]) : DAY_END + 1;
  return minute <= DAY_END ? minute : null;
}

export const spansText = (spans: readonly Span[]): string =>
  tidied(spans)
    .map(([from, until]) => (from === 0 && until === DAY_END ? "all day" : `${clockOf(from)}–${clockOf(until)}`))
    .join(", ") || "closed";

/** `Mon–Fri 08:00–17:00; Sat 09:00–12:00`. */
export function weekText(week: Week): string {
  const groups: [number, number, string][] = [];
  week.forEach((spans, day) => {
    const text = spansText(spans);
    const last = groups.at(-1);
    if (last && last[2] === text) last[1] = day;
    else groups.push([day, day, text]);
  });
  const open = groups.filter(([, , text]) => text !== "closed");
  if (!open.length) return "never";
  if (groups.length === 1) return open[0]![2] === "all day" ? "always" : `every day ${open[0]![2]}`;
  return open.map(([first, last, text]) => `${days(first, last)} ${text}`).join("; ");
}

const days = (first: number, last: number): string =>
  DAYS[first]!.slice(0, 3) + (last > first ? `–${DAYS[last]!.slice(0, 3)}` : "");
