// Who is on duty when, as the centre keeps it.

import { clockOf, minuteOf, NEVER, tidied, weekText, intervalsOf, type Span, type Week } from "./week";

/** Hours of a wall clock; an `end` that is not behind `begin` is on the next day. */
export interface ClockHours {
  days: number[];
  begin: string;
  end: string;
}
export interface Shift {
  begin: string;
  end: string;
}
export interface Duty {
  account: string;
  switch: "roster" | "on" | "off";
  hours: ClockHours[];
  shifts: Shift[];
  sites: string[];
  zones: string[];
  quiet: ClockHours[];
  timezone: string;
}
export interface DutyNow {
  now: string[];
  people: { duty: Duty; role: string; on_now: boolean; devices: number }[];
}

/** A night is cut at midnight. */
export function weekOfHours(hours: readonly ClockHours[]): Week {
  const days = NEVER.map((): Span[] => []);
  for (const each of hours) {
    const [begin, end] = [minuteOf(each.begin) ?? 0, minuteOf(each.end) ?? 0];
    for (const day of each.days) {
      days[day]!.push([begin, begin < end ? end : 1440]);
      if (begin >= end) days[(day + 1) % 7]!.push([0, end]);
    }
  }
  return days.map(tidied);
}

export const hoursOf = (week: Week): ClockHours[] =>
  intervalsOf(week.map(tidied)).map(({ days, from_min, until_min }) => ({
    days,
    begin: clockOf(from_min),
    end: clockOf(until_min),
  }));

export function dutyText(duty: Duty): string {
  if (duty.switch !== "roster") return duty.switch === "on" ? "always on duty" : "off duty, whatever the plan says";
  return duty.hours.length ? weekText(weekOfHours(duty.hours)) : "no plan";
}
