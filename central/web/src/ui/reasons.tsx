// Why: each reason as a sentence, and beside it what is usual at this door.

import type { DoorEvent } from "../api";
import { Icon } from "./icons";

export interface RiskItem {
  kind: string;
  sentence: string;
  value?: number | boolean | string | null;
  unit?: string | null;
  usual?: {
    median?: number | null;
    low?: number | null;
    high?: number | null;
    visits?: number | null;
    of?: string | null;
  } | null;
  hard?: boolean;
  confidence?: number | null;
  p?: number | null;
}

export function risksOf(event: DoorEvent | null): RiskItem[] {
  const risk = event?.data?.["risk"] as { items?: RiskItem[] } | undefined;
  return Array.isArray(risk?.items) ? risk.items : [];
}

const told = (value: number): string => (Number.isInteger(value) ? String(value) : value.toPrecision(3).replace(/\.?0+$/, ""));
const unitOf = (unit: string | null | undefined): string => (unit && unit !== "count" && unit !== "1" ? ` ${unit}` : "");

/** `usual here: 1 (0 to 3), of 412 visits` */
export function usualOf(item: RiskItem): string {
  const usual = item.usual;
  if (!usual || usual.median === null || usual.median === undefined)
    return item.hard ? "counts whatever is usual here" : "no norm yet";
  const range =
    usual.low !== null && usual.low !== undefined && usual.high !== null && usual.high !== undefined
      ? ` (${told(usual.low)} to ${told(usual.high)})`
      : "";
  const visits = usual.visits ? `, of ${Math.round(usual.visits)} visits` : "";
  return `usual here: ${told(usual.median)}${unitOf(item.unit)}${range}${visits}`;
}

export function Reasons({ event, sentences = [] }: { event: DoorEvent | null; sentences?: string[] }) {
  const items = risksOf(event);
  const said = (sentence: string) => items.some((each) => each.sentence.startsWith(sentence));
  return (
    <ul class="reasons">
      {sentences
        .filter((each) => !said(each))
        .map((sentence) => (
          <li key={sentence}>
            <Icon name="raised" />
            <span class="sentence">{sentence}</span>
          </li>
        ))}
      {items.map((item) => (
        <li key={item.kind + item.sentence} class={item.hard ? "hard" : ""}>
          <Icon name={item.hard ? "alarm" : "raised"} />
          <span class="sentence">{item.sentence}</span>
          <small>{usualOf(item)}</small>
        </li>
      ))}
    </ul>
  );
}
