// Times as people read them: in the zone of whoever looks, to the second.

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const SHORT = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

export const clock = (at: Date): string => CLOCK.format(at);
export const hourMinute = (at: Date): string => SHORT.format(at);
export const wholeTime = (at: Date): string => WHOLE.format(at);

/** `03:12:05` today, `1 Mar 03:12:05` this year, else with the year. */
export function when(at: Date, now: Date): string {
  if (at.toDateString() === now.toDateString()) return clock(at);
  return `${(at.getFullYear() === now.getFullYear() ? DAY : YEAR).format(at)} ${clock(at)}`;
}

/** How long, in the two largest units that say something. */
export function lasted(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}
