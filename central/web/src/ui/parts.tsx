// Small parts that every screen is made of.

import { signal, useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { sentenceOf, session, type Band, type DoorNow } from "../api";
import { bandOf, isAbove, standing } from "../doors";
import { link, resyncs } from "../state";
import { lasted, wholeTime, when } from "../times";
import { Icon } from "./icons";

type Children = { children?: ComponentChildren };

export function Time({ at }: { at: string | Date | null | undefined }) {
  if (!at) return <span>—</span>;
  const date = typeof at === "string" ? new Date(at) : at;
  return (
    <time dateTime={date.toISOString()} title={wholeTime(date)}>
      {when(date, new Date())}
    </time>
  );
}

/** Grows by itself, once a second. */
export function Age({ at }: { at: string }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return <span class="num">{lasted((now.value - new Date(at).getTime()) / 1000)}</span>;
}

/** While nothing new comes, a state is what was: never shown as what is. */
export function StateWord({ door, large = false }: { door: DoorNow; large?: boolean }) {
  const now = standing(door);
  const old = link.value === "cut";
  return (
    <span class={`state tone-${old ? "lost" : now.tone} ${large ? "large" : ""}`}>
      <Icon name={old ? "offline" : now.icon} />
      <span class="word">{old ? `was ${now.word.toLowerCase()}` : now.word}</span>
    </span>
  );
}

const BAND_WORDS: Record<Band, string> = { ordinary: "Ordinary", raised: "Raised", high: "High", critical: "Critical" };

export function BandWord({ band }: { band: Band | "" }) {
  if (!band || !isAbove(band)) return null;
  return (
    <span class={`band band-${band}`}>
      <Icon name={band} />
      {BAND_WORDS[band]} risk
    </span>
  );
}

export const DoorBand = ({ door }: { door: DoorNow }) =>
  door.online && link.value !== "cut" ? <BandWord band={bandOf(door)} /> : null;

export function Chip({ tone = "calm", icon, children }: { tone?: string; icon?: string } & Children) {
  return (
    <span class={`chip tone-${tone}`}>
      {icon && <Icon name={icon} />}
      {children}
    </span>
  );
}

type ButtonProps = Omit<JSX.IntrinsicElements["button"], "icon"> & {
  icon?: string;
  kind?: "plain" | "main" | "danger" | "quiet";
  busy?: boolean;
};

export function Button({ icon, kind = "plain", busy = false, children, class: extra, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      class={`button ${kind} ${String(extra ?? "")}`}
      aria-busy={busy}
      disabled={busy || rest.disabled}
    >
      {icon && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  );
}

export function Field({ label, hint, error, children }: { label: string; hint?: string; error?: string } & Children) {
  return (
    <label class={`field ${error ? "wrong" : ""}`}>
      <span class="label">{label}</span>
      {children}
      {hint && <span class="hint">{hint}</span>}
      <FieldError error={error} />
    </label>
  );
}

/** What the centre says of one field, beside it. */
export function FieldError({ error }: { error?: string | undefined }) {
  if (!error) return null;
  return (
    <span class="fielderror" role="alert">
      <Icon name="alarm" /> {error}
    </span>
  );
}

export interface Draft<T> {
  value: T;
  changed: boolean;
  set: (change: Partial<T>) => void;
  drop: () => void;
}

const drafts = signal<Readonly<Record<string, unknown>>>({});

/** What somebody is changing and has not saved: still there when they come back to the screen, gone when the page is loaded anew. */
export function useDraft<T extends object>(key: string, kept: T): Draft<T> {
  const value = (drafts.value[key] ?? kept) as T;
  const drop = () => {
    const { [key]: _, ...others } = drafts.value;
    drafts.value = others;
  };
  const set = (change: Partial<T>) => {
    const next = { ...((drafts.value[key] ?? kept) as T), ...change };
    if (JSON.stringify(next) === JSON.stringify(kept)) drop();
    else drafts.value = { ...drafts.value, [key]: next };
  };
  return { value, changed: key in drafts.value, set, drop };
}

window.addEventListener("beforeunload", (event) => {
  if (Object.keys(drafts.value).length) event.preventDefault();
});
session.subscribe((now) => {
  if (!now) drafts.value = {};
});

/** Says that nothing is saved yet, and saves it. */
export function SaveBar({ changed, ready = true, work, save, drop }: SaveBarProps) {
  return (
    <div class={`savebar ${changed ? "changed" : ""}`} hidden={!changed && !work.done}>
      <span role="status">{changed ? "Not saved yet." : work.done}</span>
      {changed && (
        <>
          <Button kind="main" busy={work.busy} disabled={!ready} onClick={save}>
            Save
          </Button>
          <Button disabled={work.busy} onClick={drop}>
            Discard
          </Button>
        </>
      )}
    </div>
  );
}

interface SaveBarProps {
  changed: boolean;
  ready?: boolean;
  work: Work;
  save: () => void;
  drop: () => void;
}

/** For what cannot be undone: the second tap does it, within some seconds. */
export function Twice({ children, sure, busy, act }: { sure: string; busy: boolean; act: () => void } & Children) {
  const armed = useSignal(false);
  useEffect(() => {
    if (!armed.value) return;
    const timer = setTimeout(() => (armed.value = false), 5000);
    return () => clearTimeout(timer);
  }, [armed.value]);
  return (
    <Button
      kind="danger"
      busy={busy}
      onClick={() => {
        if (armed.value) act();
        armed.value = !armed.value;
      }}
    >
      {armed.value ? sure : children}
    </Button>
  );
}

export function Panel({
  title,
  actions,
  children,
  class: extra = "",
}: { title?: string; actions?: ComponentChildren; class?: string } & Children) {
  const id = useId();
  return (
    <section class={`panel ${extra}`} aria-labelledby={title ? id : undefined}>
      {title && (
        <header>
          <h2 id={id}>{title}</h2>
          <span class="actions">{actions}</span>
        </header>
      )}
      {children}
    </section>
  );
}

export function Page({
  title,
  back,
  actions,
  children,
  class: extra = "",
}: { title: string; back?: string; actions?: ComponentChildren; class?: string } & Children) {
  useEffect(() => {
    document.title = `${title} · Doorward`;
  }, [title]);
  return (
    <div class={`page ${extra}`}>
      <header class="pagehead">
        {back && (
          <a class="backlink" href={back} aria-label="Back">
            <Icon name="back" />
          </a>
        )}
        <h1 tabIndex={-1}>{title}</h1>
        <div class="actions">{actions}</div>
      </header>
      {children}
    </div>
  );
}

export function Trouble({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p class="trouble" role="alert">
      <Icon name="alarm" />
      <span>{sentenceOf(error)}</span>
    </p>
  );
}

export const Empty = ({ children }: Children) => <p class="empty">{children}</p>;

export interface Loaded<T> {
  value: T | null;
  error: unknown;
  again: () => Promise<void>;
}

/** Asks when the screen opens, when `key` changes, and after every cut of the stream. */
export function useLoaded<T>(work: () => Promise<T>, key: string): Loaded<T> {
  const value = useSignal<T | null>(null);
  const error = useSignal<unknown>(null);
  const turn = useRef(0);
  const again = async () => {
    const mine = ++turn.current;
    try {
      const told = await work();
      if (mine === turn.current) [value.value, error.value] = [told, null];
    } catch (told) {
      if (mine === turn.current) error.value = told;
    }
  };
  const resync = resyncs.value;
  useEffect(() => {
    void again();
    return () => void turn.current++;
  }, [key, resync]);
  return { value: value.value, error: error.value, again };
}

export interface Work {
  busy: boolean;
  error: unknown;
  done: string;
  run: (work: () => Promise<string | void>) => Promise<void>;
}

/** A button's work: busy while it runs, its error beside it. `first`: what was done by a screen before this one. */
export function useWork(first = ""): Work {
  const busy = useSignal(false);
  const error = useSignal<unknown>(null);
  const done = useSignal(first);
  const run = async (work: () => Promise<string | void>) => {
    if (busy.value) return;
    busy.value = true;
    error.value = null;
    done.value = "";
    try {
      done.value = (await work()) ?? "";
    } catch (told) {
      error.value = told;
    } finally {
      busy.value = false;
    }
  };
  return { busy: busy.value, error: error.value, done: done.value, run };
}

export function Dialog({ title, open, close, children }: { title: string; open: boolean; close: () => void } & Children) {
  const frame = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    if (open && !frame.current?.open) frame.current?.showModal();
    if (!open) frame.current?.close();
  }, [open]);
  return (
    <dialog ref={frame} aria-labelledby={id} onClose={close} onClick={(event) => event.target === frame.current && close()}>
      <header>
        <h2 id={id}>{title}</h2>
        <button type="button" class="button quiet" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {open && children}
    </dialog>
  );
}

export function Working({ what }: { what: string }) {
  return (
    <p class="working" role="status">
      {what} …
    </p>
  );
}

export function EventLine({
  event,
  withDoor = true,
  name,
}: {
  event: import("../api").DoorEvent;
  withDoor?: boolean;
  name?: string;
}) {
  return (
    <li class={`eventline ${event.alert ? "alerting" : ""}`}>
      <Time at={event.at} />
      <span class="what">
        {withDoor && <a href={`#/door/${event.site}/${event.door}`}>{name || event.door}</a>}
        <a class="sentence" href={`#/event/${event.n}`}>
          {event.sentence || event.kind}
        </a>
        {event.clock === "unsure" && <small>time not certain</small>}
      </span>
      {event.alert && (
        <Chip tone="alarm" icon="bell">
          alert
        </Chip>
      )}
      <code class="kind">{event.kind}</code>
    </li>
  );
}
