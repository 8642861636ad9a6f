// What the app knows now, and how it stays true: one stream of events; after every cut everything is asked again.

import { batch, computed, signal, type Signal } from "@preact/signals";
import { ask, doorKey, query, Refused, session, type Alert, type DoorEvent, type DoorNow, type Session } from "./api";
import { compare } from "./doors";

export type Link = "connecting" | "live" | "cut";

const LAST_HEARD = "doorward-last-heard";
const KEPT_EVENTS = 300;
const QUIET_MS = 15_000;

export const link = signal<Link>("connecting");
/** When the centre was last heard; kept over a restart of the app, so that it can say since when it is cut off. */
export const lastHeard = signal<Date | null>(stored());
/** Whether the centre hears its broker: without it, no door is known to be there. */
export const broker = signal(true);
/** Each door is a signal of its own: news of one draws one card. */
export const doors = signal<ReadonlyMap<string, Signal<DoorNow>>>(new Map());
export const doorsLoaded = signal(false);
export const alerts = signal<ReadonlyMap<string, Alert>>(new Map());
export const alertsLoaded = signal(false);
export const events = signal<DoorEvent[]>([]);
/** Grows with every resynchronisation: a screen that has asked for itself asks again. */
export const resyncs = signal(0);
/** Spoken by the screen reader. */
export const spoken = signal("");

export const openAlerts = computed(() => [...alerts.value.values()].filter((each) => each.state === "open").sort(byUrgency));

const ORDER = { critical: 0, high: 1, warning: 2, notice: 3 };

export function byUrgency(a: Alert, b: Alert): number {
  const waits = Number(a.state !== "open") - Number(b.state !== "open");
  return waits || ORDER[a.severity] - ORDER[b.severity] || b.at.localeCompare(a.at);
}

function stored(): Date | null {
  const told = Number(localStorage.getItem(LAST_HEARD));
  return told ? new Date(told) : null;
}

export function heard(): void {
  const now = new Date();
  if (!lastHeard.value || now.getTime() - lastHeard.value.getTime() > 900) {
    lastHeard.value = now;
    localStorage.setItem(LAST_HEARD, String(now.getTime()));
  }
}

let source: EventSource | null = null;
/** How often the line was lost: what was asked before does not make it stand again. */
let cuts = 0;
let probing: ReturnType<typeof setInterval> | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;

/** Who is signed in? Then listen. */
export async function begin(): Promise<void> {
  try {
    early = ask<DoorNow[]>("/doors");
    early.catch(() => (early = null)); // nobody is signed in: they are asked for when somebody is
    session.value = await ask<Session>("/session");
    heard();
  } catch (error) {
    if (error instanceof Refused && error.status !== 0) {
      heard();
      link.value = "live";
      session.value = null;
    } else {
      cut();
      retry = setTimeout(() => void begin(), 3000);
    }
  }
}

session.subscribe((now) => {
  if (now) listen();
  else if (now === null) forget();
});

function forget(): void {
  stop();
  batch(() => {
    doors.value = new Map();
    alerts.value = new Map();
    events.value = [];
    doorsLoaded.value = alertsLoaded.value = false;
  });
}

function stop(): void {
  source?.close();
  source = null;
  clearInterval(probing);
  clearTimeout(retry);
}

function listen(): void {
  stop();
  link.value = "connecting";
  void resync();
  source = new EventSource("/api/stream");
  source.onopen = () => void resync(true); // what was asked before the stream stood may be older than its first word
  source.onerror = () => lost();
  for (const [name, take] of Object.entries(TAKES)) source.addEventListener(name, (message) => arrived(message, take));
  probing = setInterval(() => void probe(), QUIET_MS / 3);
}

function lost(): void {
  cut();
  if (source?.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
  clearTimeout(retry);
  retry = setTimeout(() => void begin(), 3000);
}

function cut(): void {
  cuts++;
  link.value = "cut";
}

function arrived(message: MessageEvent<string>, take: (told: unknown) => void): void {
  heard();
  if (link.value !== "live") void resync();
  take(JSON.parse(message.data || "null"));
}

const TAKES: Record<string, (told: unknown) => void> = {
  hello: (told) => takeHello(told as { broker?: boolean; missed?: boolean } | null),
  event: (told) => takeEvent(told as DoorEvent),
  door: (told) => takeDoor(told as DoorNow),
  alert: (told) => takeAlert(told as Alert),
};

function takeHello(told: { broker?: boolean; missed?: boolean } | null): void {
  broker.value = told?.broker !== false;
  if (told?.missed) void resync(true);
}

function takeEvent(event: DoorEvent): void {
  meanwhile.events.set(event.n, event);
  if (events.value.some((each) => each.n === event.n)) return;
  events.value = [event, ...events.value].sort((a, b) => b.n - a.n).slice(0, KEPT_EVENTS);
  const door = doors.value.get(doorKey(event));
  if (!door || (door.value.last && door.value.last.n > event.n)) return;
  door.value = { ...door.value, last: { n: event.n, kind: event.kind, at: event.at, sentence: event.sentence } };
}

function takeDoor(told: DoorNow): void {
  meanwhile.doors.add(doorKey(told));
  const known = doors.value.get(doorKey(told));
  if (known) known.value = { ...told, last: newer(told, known.value) };
  else doors.value = new Map(doors.value).set(doorKey(told), signal(told));
}

function newer(told: DoorNow, known: DoorNow): DoorNow["last"] {
  return (known.last?.n ?? 0) > (told.last?.n ?? 0) ? known.last : told.last;
}

export function takeAlert(told: Alert): void {
  const before = alerts.value.get(String(told.id));
  meanwhile.alerts.set(String(told.id), told);
  alerts.value = new Map(alerts.value).set(String(told.id), told);
  if (!before && told.state === "open") spoken.value = `Alert: ${told.title}. ${told.sentence}`;
}

let resyncing: Promise<void> | null = null;
let onceMore = false;
/** What was told since the load under way began: its answer may be older, and does not take the place of it. */
const meanwhile = { doors: new Set<string>(), alerts: new Map<string, Alert>(), events: new Map<number, DoorEvent>() };

/** Everything that may have changed while nobody listened. `anew`: what is being asked already was asked too early. */
export function resync(anew = false): Promise<void> {
  if (resyncing) onceMore ||= anew;
  resyncing ??= loadAll().finally(() => (resyncing = null));
  return resyncing;
}

async function loadAll(): Promise<void> {
  do {
    onceMore = false;
    await load();
  } while (onceMore);
}

async function load(): Promise<void> {
  const before = cuts;
  for (const each of Object.values(meanwhile)) each.clear();
  const loads = await Promise.allSettled([loadDoors(), loadAlerts(), loadEvents()]);
  const unreached = loads.some(
    (each) => each.status === "rejected" && each.reason instanceof Refused && each.reason.status === 0,
  );
  if (unreached) return cut();
  if (cuts !== before) return load();
  heard();
  if (source?.readyState === EventSource.OPEN) link.value = "live";
  resyncs.value++;
}

/** Asked for together with the session when the app opens: a round trip less before the first picture. */
let early: Promise<DoorNow[]> | null = null;

async function loadDoors(): Promise<void> {
  const asked = early ?? ask<DoorNow[]>("/doors");
  early = null;
  const told = await asked;
  const known = doors.value;
  batch(() => {
    const next = new Map<string, Signal<DoorNow>>();
    for (const door of told.sort(compare)) next.set(doorKey(door), renewed(known.get(doorKey(door)), door));
    for (const [key, door] of known) if (!next.has(key) && meanwhile.doors.has(key)) next.set(key, door);
    doors.value = next;
    doorsLoaded.value = true;
  });
}

function renewed(known: Signal<DoorNow> | undefined, told: DoorNow): Signal<DoorNow> {
  if (!known) return signal(told);
  if (meanwhile.doors.has(doorKey(told))) return known;
  if (JSON.stringify(known.value) !== JSON.stringify(told)) known.value = told;
  return known;
}

async function loadAlerts(): Promise<void> {
  if (session.value?.role !== "guard" && session.value?.role !== "manager") return;
  const told = await ask<Alert[]>("/alerts" + query({ state: "open" }));
  batch(() => {
    alerts.value = new Map([...told.map((each) => [String(each.id), each] as const), ...meanwhile.alerts]);
    alertsLoaded.value = true;
  });
}

async function loadEvents(): Promise<void> {
  const told = await ask<{ events: DoorEvent[] }>("/events" + query({ limit: 100 }));
  const all = new Map([...told.events.map((each) => [each.n, each] as const), ...meanwhile.events]);
  events.value = [...all.values()].sort((a, b) => b.n - a.n);
}

/** A stream whose line was pulled says nothing, and so does one of a quiet night: ask for a small file to tell them apart. */
async function probe(): Promise<void> {
  const quiet = Date.now() - (lastHeard.value?.getTime() ?? 0);
  if (quiet < QUIET_MS) return;
  try {
    await fetch("/manifest.webmanifest", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    heard();
    if (link.value === "cut" && source?.readyState === EventSource.OPEN) await resync();
  } catch {
    cut();
  }
}

window.addEventListener("online", () => void probe());
window.addEventListener("offline", () => cut());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && session.value) void resync();
});
