// Buttons that order something from a door, and what became of it.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { session } from "../api";
import { give, orders, VALID_S, WORDS, type Order } from "../orders";
import { Icon } from "./icons";
import { Time } from "./parts";

export interface Command {
  name: string;
  label: string;
  icon: string;
  kind: "main" | "danger" | "plain";
  /** Asked for twice: by holding, or by a second tap. */
  twice?: boolean;
}

export const LET_IN: Command = { name: "unlock", label: "Let in", icon: "unlocked", kind: "main" };
export const REFUSE: Command = { name: "deny", label: "Refuse", icon: "refused", kind: "plain" };
export const LOCK_DOWN: Command = { name: "lockdown", label: "Lock down", icon: "lockdown", kind: "danger", twice: true };

const GUARDS: Command[] = [
  { name: "unlock", label: "Unlock once", icon: "unlocked", kind: "main" },
  { name: "lock", label: "Lock", icon: "locked", kind: "plain" },
  { name: "assist", label: "Help is coming", icon: "person", kind: "plain" },
  REFUSE,
  { name: "release", label: "Release", icon: "ordinary", kind: "plain" },
  LOCK_DOWN,
];

const MANAGERS: Command[] = [
  ...GUARDS.slice(0, -1),
  { name: "hold_unlocked", label: "Hold unlocked", icon: "unlocked", kind: "plain", twice: true },
  { name: "lock_open", label: "Lock open", icon: "open", kind: "plain", twice: true },
  { name: "block", label: "Block", icon: "block", kind: "plain", twice: true },
  { name: "forgive", label: "Forgive passback", icon: "people", kind: "plain" },
  LOCK_DOWN,
];

export function allowed(): Command[] {
  const role = session.value?.role;
  return role === "manager" ? MANAGERS : role === "guard" ? GUARDS : [];
}

export const mayCommand = (): boolean => allowed().length > 0;

const HOLD_MS = 900;
const ARMED_MS = 4000;

interface Props {
  command: Command;
  site: string;
  door: string;
  why: () => string;
  big?: boolean;
}

export function CommandButton({ command, site, door, why, big = false }: Props) {
  const running = orders.value.some((each) => same(each, site, door) && each.command === command.name && each.state === "sent");
  const fire = () => void give(site, door, command.name, command.label, why());
  const look = `button ${command.kind} ${big ? "big" : ""}`;
  if (command.twice) return <HoldButton command={command} class={look} busy={running} fire={fire} />;
  return (
    <button type="button" class={look} disabled={running} aria-busy={running} onClick={fire}>
      <Icon name={command.icon} />
      <span>{command.label}</span>
    </button>
  );
}

/** Held for a moment, or tapped twice: what shuts a house is not done by a sleeve. */
function HoldButton(props: { command: Command; class: string; busy: boolean; fire: () => void }) {
  const armed = useSignal(false);
  const holding = useSignal(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const fired = useRef(false);
  useEffect(() => () => clearTimeout(timer.current), []);
  const fire = () => {
    armed.value = holding.value = false;
    clearTimeout(timer.current);
    props.fire();
  };
  const press = () => {
    fired.current = false;
    holding.value = true;
    timer.current = setTimeout(() => {
      fired.current = true;
      fire();
    }, HOLD_MS);
  };
  const leave = () => {
    holding.value = false;
    if (!armed.value) clearTimeout(timer.current);
  };
  const click = () => {
    clearTimeout(timer.current);
    holding.value = false;
    if (fired.current) return void (fired.current = false);
    if (armed.value) return fire();
    armed.value = true;
    timer.current = setTimeout(() => (armed.value = false), ARMED_MS);
  };
  return (
    <button
      type="button"
      class={`${props.class} hold ${armed.value ? "armed" : ""} ${holding.value ? "holding" : ""}`}
      disabled={props.busy}
      aria-busy={props.busy}
      onPointerDown={press}
      onPointerLeave={leave}
      onPointerCancel={leave}
      onContextMenu={(event) => event.preventDefault() /* a phone's answer to a long press */}
      onClick={click}
    >
      <Icon name={props.command.icon} />
      <span aria-live="polite">{armed.value ? `Tap again: ${props.command.label.toLowerCase()}` : props.command.label}</span>
    </button>
  );
}

const same = (order: Order, site: string, door: string): boolean => order.site === site && order.door === door;

/** What was ordered here, and whether the door says that it is so. */
export function OrderLog({ site, door, most = 4 }: { site: string; door: string; most?: number }) {
  const mine = orders.value.filter((each) => same(each, site, door)).slice(0, most);
  return (
    <ol class="orders" aria-live="polite" aria-label="Commands given here">
      {mine.map((order) => (
        <OrderLine key={order.key} order={order} />
      ))}
    </ol>
  );
}

function OrderLine({ order }: { order: Order }) {
  return (
    <li class={`order ${order.state}`} data-state={order.state} title={order.id && `command ${order.id}`}>
      <Icon name={order.state} />
      <span class="what">
        <strong>{order.label}</strong>: {order.state === "sent" ? <Waiting since={order.sentAt} /> : <b>{WORDS[order.state]}</b>}
        {order.state === "done" ? ", says the door" : order.sentence && ` — ${order.sentence}`}
      </span>
      <Time at={order.answeredAt ?? order.sentAt} />
    </li>
  );
}

function Waiting({ since }: { since: Date }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, Math.ceil(VALID_S - (now.value - since.getTime()) / 1000));
  return (
    <span>
      sent, waiting for the door <span class="num">({left} s)</span>
    </span>
  );
}
