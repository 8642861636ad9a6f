// This device as a place where alerts arrive.

import { signal } from "@preact/signals";
import { ask, session, type Session } from "./api";
import { deviceName } from "./device";
import { go } from "./route";

export type Push = "unknown" | "unsupported" | "denied" | "off" | "on";
export const push = signal<Push>("unknown");

export function startPush(): void {
  if (!("serviceWorker" in navigator)) {
    push.value = "unsupported";
    return;
  }
  navigator.serviceWorker.addEventListener("message", (message: MessageEvent<{ go?: string; again?: boolean }>) => {
    if (message.data.go) go(message.data.go);
    if (message.data.again) void turnOn().catch(() => void look());
  });
  navigator.serviceWorker.register("/sw.js").then(look, () => (push.value = "unsupported"));
  session.subscribe((who) => void (who && tellAgain(who).catch(() => undefined)));
}

/** Whoever signs in has this device's alerts from now on; the centre may have dropped it, as when somebody's password was set anew. */
async function tellAgain(who: Session): Promise<void> {
  const made = who.role === "guard" || who.role === "manager" ? await subscription() : null;
  if (made) await tell(made);
}

async function tell(made: PushSubscription): Promise<void> {
  await ask("/push/subscriptions", { body: { ...made.toJSON(), device: await deviceName() } });
}

async function look(): Promise<void> {
  if (!("PushManager" in window)) push.value = "unsupported";
  else if (Notification.permission === "denied") push.value = "denied";
  else push.value = (await subscription()) ? "on" : "off";
}

async function subscription(): Promise<PushSubscription | null> {
  return (await navigator.serviceWorker.ready).pushManager.getSubscription();
}

/** Asks the person, then the browser's push service, then tells the centre. */
export async function turnOn(): Promise<void> {
  if ((await Notification.requestPermission()) !== "granted") {
    await look();
    throw new Error("notifications are not allowed here: allow them in the browser's settings for this page");
  }
  const { key } = await ask<{ key: string }>("/push/key");
  const worker = await navigator.serviceWorker.ready;
  const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await tell(made);
  push.value = "on";
}

export async function turnOff(): Promise<void> {
  const made = await subscription();
  if (made) {
    await ask("/push/subscriptions", { method: "DELETE", body: { endpoint: made.endpoint } });
    await made.unsubscribe();
  }
  push.value = "off";
}
