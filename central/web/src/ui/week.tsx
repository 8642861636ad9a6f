// A week that one reads at a glance, and changes hour by hour with keys, mouse or finger, or to the minute in fields.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { clockOf, DAY_END, DAYS, isSound, minuteOf, openIn, painted, spansText, withDay, type Span, type Week } from "../week";
import { Button } from "./parts";

type Change = (week: Week) => void;
const HOURS = Array.from({ length: 24 }, (_, hour) => hour);

/** Without `set` it is for reading. */
export function WeekGrid({ week, set, label }: { week: Week; set?: Change | undefined; label: string }) {
  const at = useSignal<[day: number, hour: number]>([0, 8]);
  const paints = useRef<boolean | null>(null);
  const pressed = useRef(false);
  const frame = useRef<HTMLDivElement>(null);
  const latest = useRef(week);
  latest.current = week;
  useEffect(() => {
    const end = () => (paints.current = null);
    window.addEventListener("pointerup", end);
    return () => window.removeEventListener("pointerup", end);
  }, []);
  const isOpen = (day: number, hour: number) => whole(latest.current, day, hour);
  const paint = (day: number, hour: number, open: boolean) => {
    latest.current = painted(latest.current, day, hour * 60, hour * 60 + 60, open);
    set?.(latest.current);
  };
  const move = (day: number, hour: number) => {
    at.value = [day, hour];
    frame.current?.querySelector<HTMLElement>(`[data-cell="${day}-${hour}"]`)?.focus();
  };
  const keyed = (event: KeyboardEvent) => {
    const [day, hour] = at.value;
    const across = getComputedStyle(frame.current!).getPropertyValue("--across") !== "days";
    const step = STEPS[event.key];
    if (event.key === " " || event.key === "Enter") paint(day, hour, !isOpen(day, hour));
    else if (event.key === "Home") move(day, 0);
    else if (event.key === "End") move(day, 23);
    else if (step) {
      const [days, hours] = across ? step : [step[1], step[0]];
      const [next, then] = [clamp(day + days, 6), clamp(hour + hours, 23)];
      if (event.shiftKey) paint(next, then, isOpen(day, hour));
      move(next, then);
    } else return;
    event.preventDefault();
  };
  return (
    <div
      ref={frame}
      class={`weekgrid ${set ? "" : "read"}`}
      role="grid"
      aria-label={label}
      aria-readonly={!set}
      onKeyDown={set && keyed}
    >
      <div class="weekline head" role="row">
        <span role="columnheader">
          <span class="unseen">Day</span>
        </span>
        {HOURS.map((hour) => (
          <span key={hour} role="columnheader" class="num">
            <span class="unseen">Hour </span>
            {hour}
          </span>
        ))}
      </div>
      {DAYS.map((name, day) => (
        <div class="weekline" role="row" key={name}>
          <span role="rowheader">
            <span aria-hidden="true">{name.slice(0, 3)}</span>
            <span class="unseen">{name}</span>
          </span>
          {HOURS.map((hour) => {
            const open = openIn(week[day]!, hour * 60, hour * 60 + 60);
            return (
              <span
                key={hour}
                role="gridcell"
                class={`hour ${open.length ? "open" : ""}`}
                data-cell={`${day}-${hour}`}
                tabIndex={at.value[0] === day && at.value[1] === hour ? 0 : -1}
                aria-selected={whole(week, day, hour)}
                aria-label={`${name} ${clockOf(hour * 60)}: ${said(open)}`}
                style={fill(open, hour)}
                onFocus={() => (at.value = [day, hour])}
                onPointerDown={
                  set &&
                  ((event) => {
                    pressed.current = event.pointerType !== "touch";
                    if (!pressed.current) return;
                    paints.current = !isOpen(day, hour);
                    paint(day, hour, paints.current);
                  })
                }
                onPointerEnter={set && (() => paints.current !== null && paint(day, hour, paints.current))}
                onClick={
                  set &&
                  (() => {
                    if (!pressed.current) paint(day, hour, !isOpen(day, hour));
                    pressed.current = false;
                  })
                }
              />
            );
          })}
        </div>
      ))}
    </div>
  );
}

const STEPS: Record<string, [days: number, hours: number]> = {
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
};
const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, value));

const whole = (week: Week, day: number, hour: number): boolean =>
  openIn(week[day]!, hour * 60, hour * 60 + 60).some(([from, until]) => until - from === 60);

function said(open: readonly Span[]): string {
  if (!open.length) return "closed";
  return open.some(([from, until]) => until - from === 60) ? "open" : `open ${spansText(open)}`;
}

const fill = (open: readonly Span[], hour: number): Record<string, string> =>
  open.length
    ? { "--from": `${((open[0]![0] - hour * 60) / 60) * 100}%`, "--until": `${((open.at(-1)![1] - hour * 60) / 60) * 100}%` }
    : {};

/** The same week to the minute. */
export function WeekTimes({ week, set }: { week: Week; set: Change }) {
  return (
    <ul class="weektimes" aria-label="Times by day">
      {DAYS.map((name, day) => (
        <Day
          key={name}
          name={name}
          spans={week[day]!}
          before={day > 0 ? week[day - 1]! : null}
          set={(spans) => set(withDay(week, day, spans))}
        />
      ))}
    </ul>
  );
}

interface DayProps {
  name: string;
  spans: readonly Span[];
  before: readonly Span[] | null;
  set: (spans: readonly Span[]) => void;
}

function Day({ name, spans, before, set }: DayProps) {
  const put = (at: number, span: Span) => set(spans.map((each, number) => (number === at ? span : each)));
  const last = spans.at(-1)?.[1] ?? 480;
  const next: Span = spans.length ? [Math.min(last + 60, 1380), DAY_END] : [480, 1020];
  return (
    <li>
      <strong>{name}</strong>
      <Times name={name} spans={spans} set={set} put={put} />
      <span class="row">
        <Button icon="plus" aria-label={`${name}: add a time`} onClick={() => set([...spans, next])}>
          Time
        </Button>
        {before && (
          <Button aria-label={`${name}: as the day before`} onClick={() => set(before)}>
            As above
          </Button>
        )}
      </span>
    </li>
  );
}

/** A time of which a part is not typed yet changes nothing. */
function typed(event: { currentTarget: HTMLInputElement }, take: (minute: number) => void): void {
  const minute = minuteOf(event.currentTarget.value);
  if (minute !== null) take(minute);
}

/** From and until, as often as wanted; midnight at the end is the end of the day. */
export function Times({ name, spans, set, put }: Omit<DayProps, "before"> & { put: (at: number, span: Span) => void }) {
  return (
    <span class="spans">
      {!spans.length && <span class="hint">closed</span>}
      {spans.map((span, at) => (
        <span class="span" key={at}>
          <input
            type="time"
            aria-label={`${name}: from`}
            value={clockOf(span[0])}
            onInput={(event) => typed(event, (minute) => put(at, [minute, span[1]]))}
          />
          <span aria-hidden="true">–</span>
          <input
            type="time"
            aria-label={`${name}: until`}
            aria-invalid={!isSound(span)}
            value={clockOf(span[1] % DAY_END)}
            onInput={(event) => typed(event, (minute) => put(at, [span[0], minute || DAY_END]))}
          />
          <Button
            kind="quiet"
            icon="close"
            aria-label={`${name}: take ${clockOf(span[0])} until ${clockOf(span[1])} out`}
            onClick={() => set(spans.filter((_, number) => number !== at))}
          />
          {!isSound(span) && (
            <span class="fielderror" role="alert">
              It ends before it begins: a night is two times, until 00:00 and from 00:00 on.
            </span>
          )}
        </span>
      ))}
    </span>
  );
}

export function WeekEditor({ week, set, label }: { week: Week; set: Change; label: string }) {
  return (
    <div class="stack">
      <WeekGrid week={week} set={set} label={label} />
      <p class="hint keysonly">
        Click or drag over hours. With keys: arrows to move, Space to open or close an hour, Shift and arrows to draw it further.
      </p>
      <p class="hint touchonly">Tap an hour to open or close it.</p>
      <details>
        <summary>To the minute</summary>
        <WeekTimes week={week} set={set} />
      </details>
    </div>
  );
}
