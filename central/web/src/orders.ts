// Commands to doors. One is done when the door has said so, and never before.

import { signal } from "@preact/signals";
import { ask, Refused, sentenceOf, type Answer } from "./api";

export type OrderState = "sent" | "done" | "refused" | "no_answer" | "not_sent";

export interface Order {
  key: number;
  site: string;
  door: string;
  command: string;
  label: string;
  state: OrderState;
  sentAt: Date;
  answeredAt: Date | null;
  id: string;
  sentence: string;
}

/** The centre waits so long for the door, and the command expires with it. */
export const VALID_S = 10;
const KEPT = 20;

export const orders = signal<Order[]>([]);
let count = 0;

export const WORDS: Record<OrderState, string> = {
  sent: "sent",
  done: "done",
  refused: "refused",
  no_answer: "no answer",
  not_sent: "not sent",
};

export async function give(site: string, door: string, command: string, label: string, why: string): Promise<Order> {
  const key = ++count;
  const order: Order = {
    key,
    site,
    door,
    command,
    label,
    state: "sent",
    sentAt: new Date(),
    answeredAt: null,
    id: "",
    sentence: "",
  };
  orders.value = [order, ...orders.value].slice(0, KEPT);
  const answered = { ...order, ...(await outcome(site, door, command, why)) };
  orders.value = orders.value.map((each) => (each.key === key ? answered : each));
  return answered;
}

async function outcome(site: string, door: string, command: string, why: string): Promise<Partial<Order>> {
  const path = `/doors/${encodeURIComponent(site)}/${encodeURIComponent(door)}/commands`;
  try {
    return answered(await ask<Answer>(path, { body: { command, why }, timeout_ms: (VALID_S + 10) * 1000 }));
  } catch (error) {
    // A request that got lost on its way may have reached the door: only the door's own answer or the centre's refusal is certain.
    const unsure = error instanceof Refused && error.status === 0;
    if (unsure)
      return {
        state: "no_answer",
        sentence: "the centre did not answer; whether the door did it is not known",
        answeredAt: new Date(),
      };
    return { state: "not_sent", sentence: sentenceOf(error), answeredAt: new Date() };
  }
}

export function answered(answer: Answer): Partial<Order> {
  const state: OrderState = answer.ok ? "done" : answer.reason === "no_answer" ? "no_answer" : "refused";
  const at = answer.at ? new Date(answer.at) : new Date();
  return { id: answer.id, state, sentence: answer.sentence || answer.reason, answeredAt: at };
}
