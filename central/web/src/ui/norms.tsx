// What is usual at a door, drawn: events by hour of the week, and for each kind of evidence how often which value was seen.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { ask, type DoorEvent } from "../api";
import { events } from "../state";
import { theme } from "../theme";
import { Empty, Time, Trouble, useLoaded, Working } from "./parts";
import { risksOf } from "./reasons";

interface UsualKind {
  unit: string;
  visits: number;
  low: number;
  median: number;
  high: number;
  values: number[];
  weights: number[];
}

interface Usual {
  since: string | null;
  hours: Record<string, number[]>;
  made: string | null;
  visits: number;
  kinds: Record<string, UsualKind>;
}

const NAMES: Record<string, string> = { "access.": "Fobs read", "door.": "Door opened and closed", "risk.": "Risks" };
const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const HEIGHT_PX = 150;

export function NormPlots({ site, door }: { site: string; door: string }) {
  const found = useLoaded(() => ask<Usual>(`/norms/${site}/${door}`), `${site}/${door}`);
  const usual = found.value;
  if (found.error) return <Trouble error={found.error} />;
  if (!usual) return <Working what="Asking" />;
  const hours = Object.entries(usual.hours).filter(([, counts]) => counts.some((each) => each > 0));
  const kinds = Object.entries(usual.kinds);
  if (!hours.length && !kinds.length) return <Empty>Nothing is usual here yet: norms grow with visits.</Empty>;
  const here = events.value.filter((each) => each.site === site && each.door === door);
  return (
    <div class="norms">
      {hours.map(([begins, counts]) => (
        <figure key={begins}>
          <figcaption>
            <b>{NAMES[begins] ?? begins}</b> by hour of the week (UTC), since <Time at={usual.since} />; the line is this hour
          </figcaption>
          <Plot
            data={[counts.map((_, hour) => hour), counts]}
            marks={[hourOfWeek(new Date())]}
            label={(hour) => DAYS[Math.floor(hour / 24)] ?? ""}
            step={24}
          />
        </figure>
      ))}
      {kinds.map(([name, kind]) => (
        <figure key={name}>
          <figcaption>
            <b>{name.replaceAll("_", " ")}</b>: {short(kind.median)} {kind.unit}, 9 of 10 from {short(kind.low)} to{" "}
            {short(kind.high)}, of {Math.round(kind.visits)} visits
            {lately(here, name).length > 0 && "; lines are recent deviations"}
          </figcaption>
          <Plot data={[kind.values, kind.weights]} marks={lately(here, name)} label={(value) => short(value)} />
        </figure>
      ))}
    </div>
  );
}

const short = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(2));
const hourOfWeek = (now: Date): number => ((now.getUTCDay() + 6) % 7) * 24 + now.getUTCHours();

/** Values of this kind that were odd lately. */
function lately(here: DoorEvent[], kind: string): number[] {
  const items = here.slice(0, 20).flatMap((event) => risksOf(event).filter((item) => item.kind === kind));
  return items.map((item) => item.value).filter((value): value is number => typeof value === "number");
}

function Plot({
  data,
  marks,
  label,
  step,
}: {
  data: [number[], number[]];
  marks: number[];
  label: (value: number) => string;
  step?: number;
}) {
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const here = frame.current!;
    const plot = new uPlot(options(here, marks, label, step), data, here);
    const watch = new ResizeObserver(() => plot.setSize({ width: here.clientWidth, height: HEIGHT_PX }));
    watch.observe(here);
    return () => (watch.disconnect(), plot.destroy());
  }, [JSON.stringify([data, marks]), theme.value]);
  return <div ref={frame} aria-hidden="true" />;
}

function options(frame: HTMLElement, marks: number[], label: (value: number) => string, step?: number): uPlot.Options {
  const colour = (name: string) => getComputedStyle(frame).getPropertyValue(name).trim();
  const [ink, line, main, alarm] = [colour("--soft"), colour("--line"), colour("--main"), colour("--alarm-strong")];
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  return {
    width: frame.clientWidth || 320,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, most || 1] } },
    axes: [
      { ...axis, values: (_, splits) => splits.map(label), ...(step ? { splits: () => DAYS.map((_, day) => day * step) } : {}) },
      { ...axis, size: 44 },
    ],
    series: [
      {},
      { stroke: main, fill: main + "55", width: 1, paths: uPlot.paths.bars!({ size: [0.9, 24] }), points: { show: false } },
    ],
    hooks: { draw: [(plot) => marks.forEach((at) => drawMark(plot, at, alarm))] },
  };
}

function drawMark(plot: uPlot, at: number, colour: string): void {
  const x = plot.valToPos(at, "x", true);
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * devicePixelRatio;
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.restore();
}
