// What the centre's HTTP interface says and takes. Shapes as in the contract; a field that may be missing is marked so.

import { signal } from "@preact/signals";

export type Role = "guard" | "manager" | "installer" | "privacy" | "auditor";
export type Band = "ordinary" | "raised" | "high" | "critical";

export type Severity = "notice" | "warning" | "high" | "critical";

export interface Session {
  account: string;
  name: string;
  role: Role;
  csrf: string;
  sites: string[];
}

export interface Risk {
  band: Band;
  sentence: string;
  zone: string | null;
}

export interface Last {
  n: number;
  kind: string;
  at: string;
  sentence: string;
}

export interface DoorNow {
  site: string;
  door: string;
  name: string;
  zone: string;
  online: boolean;
  since: string | null;
  mode: string | null;
  lock: string | null;
  contact: string | null;
  alarm: string | null;
  risk: Risk | null;
  people: { zones?: Record<string, number> } | null;
  health: { ok: boolean; faults: string[] } | null;
  access: { version: number; behind: boolean | number } | null;
  last: Last | null;
}

export interface DoorEvent {
  n: number;
  id: string;
  site: string;
  door: string;
  kind: string;
  at: string;
  /** How far `at` may be believed: "unsure" is the latest that it can have been, "corrected" by what the door's clock turned out to be. */
  clock: string;
  /** What the door's clock said, where that is another time. */
  told_at: string | null;
  sentence: string;
  person: string;
  alert: boolean;
  data: Record<string, unknown>;
  explain?: string[];
}

export interface DoorWhole extends DoorNow {
  events: DoorEvent[];
  states: Record<string, unknown>;
}

export interface Note {
  at: string;
  by: string;
  text: string;
}

export interface Alert {
  id: number;
  at: string;
  site: string;
  door: string;
  kind: string;
  title: string;
  sentence: string;
  reasons: string[];
  /** Empty where it tells of no person's risk. */
  band: Band | "";
  severity: Severity;
  /** A cardholder's id, or empty. */
  person: string;
  /** As people know them. */
  person_name?: string;
  event_n: number | null;
  state: "open" | "acknowledged" | "closed";
  by: string | null;
  escalation: number;
  next_at: string | null;
  notes: Note[];
  folded: number;
  /** When the last of what is folded into it happened. */
  newest_at: string;
  /** When its cause had ended, though nobody has seen it yet. */
  over_at: string | null;
  zone: string | null;
  /** The door waits for a decision until then. */
  decide_by: string | null;
}

export interface Answer {
  id: string;
  ok: boolean;
  reason: string;
  sentence: string;
  at: string | null;
}

export interface PersonLine {
  id: string;
  name: string;
  visitor: boolean;
  suspended: boolean;
  profiles: string[];
  credentials: number;
  enrolled: boolean;
  valid_until: string | null;
}

export interface PlacedDoor {
  site: string;
  door: string;
  x: number;
  y: number;
}

export interface Zone {
  id: string;
  name: string;
  points: [number, number][];
  doors: string[];
}

export interface FloorMap {
  id: number;
  name: string;
  site: string;
  width_px: number;
  height_px: number;
  doors: PlacedDoor[];
  zones: Zone[];
  edition: number;
}

export interface ImportReport {
  rows: number;
  new: number;
  changed: number;
  unchanged: number;
  faults: { row: number; column: string; value: string; sentence: string }[];
}

/** What the centre refuses, with its own sentence; `status` 0: it could not be reached. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    sentence: string,
    /** Of what was sent, where the sentence is about one. */
    readonly field = "",
  ) {
    super(sentence);
  }
}

export const UNREACHED = "the centre cannot be reached from here";

/** Who is signed in; undefined while that is not known. */
export const session = signal<Session | null | undefined>(undefined);

export interface Sent {
  method?: string;
  /** Told as JSON. */
  body?: unknown;
  /** Told as it is: a file, or text. */
  raw?: Blob | string;
  type?: string;
  timeout_ms?: number;
}

export async function ask<T>(path: string, sent: Sent = {}): Promise<T> {
  const answer = await fetched(path, sent);
  const text = await answer.text();
  if (answer.ok) return (text === "" ? null : JSON.parse(text)) as T;
  if (answer.status === 401 && session.value && path !== "/session") session.value = null;
  throw refusal(answer.status, text);
}

async function fetched(path: string, sent: Sent): Promise<Response> {
  const headers: Record<string, string> = {};
  const method = sent.method ?? (sent.body === undefined && sent.raw === undefined ? "GET" : "POST");
  if (method !== "GET" && session.value) headers["X-Doorward-CSRF"] = session.value.csrf;
  if (sent.body !== undefined) headers["Content-Type"] = "application/json";
  if (sent.raw !== undefined && sent.type) headers["Content-Type"] = sent.type;
  const body = sent.raw ?? (sent.body === undefined ? null : JSON.stringify(sent.body));
  try {
    return await fetch("/api" + path, { method, headers, body, signal: AbortSignal.timeout(sent.timeout_ms ?? 20_000) });
  } catch {
    throw new Refused(0, "unreached", UNREACHED);
  }
}

function refusal(status: number, text: string): Refused {
  try {
    const told = JSON.parse(text) as { error?: string; sentence?: string; field?: string };
    return new Refused(status, told.error ?? "refused", told.sentence ?? `the centre answered ${status}`, told.field);
  } catch {
    return new Refused(status, "refused", `the centre answered ${status}`);
  }
}

export function query(fields: Record<string, string | number | boolean | null | undefined>): string {
  const told = Object.entries(fields).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return told.length ? "?" + new URLSearchParams(told.map(([key, value]) => [key, String(value)])).toString() : "";
}

/** An error as people read it. */
export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What the centre says of these fields, to be shown beside them; and of everything else. */
export function besides(error: unknown, fields: readonly string[]): { of: (field: string) => string; rest: unknown } {
  const field = error instanceof Refused && fields.includes(error.field) ? error.field : "";
  return { of: (asked) => (field && asked === field ? sentenceOf(error) : ""), rest: field ? null : error };
}

/** Changes of the whole centre: not for who sees some sites only. */
export const managesAll = (): boolean => session.value?.role === "manager" && session.value.sites.length === 0;

export const doorKey = (of: { site: string; door: string }): string => `${of.site}/${of.door}`;
