// The service worker: the app's shell when there is no network, and alerts when there is no app. It keeps no data of doors or people.

declare const self: ServiceWorkerGlobalScope;
export {};

const SHELL = "SHELL_FILES".split(" ").concat("/", "/manifest.webmanifest", "/icon.svg");
const CACHE = `doorward ${SHELL[0]}`;

interface Told {
  id?: string | number;
  title: string;
  body: string;
  url?: string;
  tag?: string;
  at?: string;
  /** It takes the place of what was shown, without a sound. */
  quiet?: boolean;
  actions?: { action: string; title: string }[];
}

const ACTIONS = [
  { action: "acknowledge", title: "Acknowledge" },
  { action: "open", title: "Open" },
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)));
  void self.skipWaiting();
});

self.addEventListener("activate", (event) => event.waitUntil(tidy().then(() => self.clients.claim())));

async function tidy(): Promise<void> {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
}

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin || url.pathname.startsWith("/api")) return;
  if (event.request.mode === "navigate") event.respondWith(fetch(event.request).catch(() => fromShell("/")));
  else if (url.pathname.startsWith("/assets/")) event.respondWith(asset(event.request));
});

async function fromShell(path: string): Promise<Response> {
  return (await caches.match(path)) ?? Response.error();
}

/** Files in /assets carry their content's hash in their name, so one that is kept is right for ever. */
async function asset(request: Request): Promise<Response> {
  const kept = await caches.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await (await caches.open(CACHE)).put(request, answer.clone());
  return answer;
}

self.addEventListener("push", (event) => event.waitUntil(show(read(event.data))));

function read(data: PushMessageData | null): Told {
  try {
    return data?.json() as Told;
  } catch {
    return { title: "Doorward", body: "An alert came that could not be read. Open the app to see it." };
  }
}

async function show(told: Told): Promise<void> {
  await self.registration.showNotification(told.title, {
    body: told.body,
    tag: told.tag ?? String(told.id ?? ""),
    renotify: !told.quiet && Boolean(told.tag ?? told.id),
    silent: told.quiet ?? false,
    requireInteraction: !told.quiet,
    timestamp: told.at ? Date.parse(told.at) : Date.now(),
    icon: "/icon-192.png",
    badge: "/badge-96.png",
    data: { id: told.id, url: screenOf(told) },
    actions: !told.id ? [] : (told.actions ?? ACTIONS).slice(0, 2),
  } as NotificationOptions);
}

/** The app's screens lie behind a `#`; a link may come as /alerts/7 or as a whole address, and never leads elsewhere. */
function screenOf(told: Told): string {
  const url = new URL(told.url ?? "/", self.location.origin);
  if (url.hash.startsWith("#/")) return url.hash;
  if (url.pathname !== "/") return "#" + url.pathname;
  return told.id ? `#/alerts/${told.id}` : "#/alerts";
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { id, url } = event.notification.data as { id?: string | number; url: string };
  event.waitUntil(event.action === "acknowledge" && id ? acknowledge(id, url) : open(url));
});

/** By the session of whoever uses this device. Where that has ended, the alert is opened instead: it is not acknowledged. */
async function acknowledge(id: string | number, url: string): Promise<void> {
  try {
    const who = await fetch("/api/session");
    const { csrf } = (await who.json()) as { csrf: string };
    const path = `/api/alerts/${encodeURIComponent(id)}/acknowledge`;
    const headers = { "X-Doorward-CSRF": csrf, "Content-Type": "application/json" };
    const answer = await fetch(path, { method: "POST", headers, body: "{}" });
    if (answer.ok) return;
  } catch {
    // no network or no session: whoever tapped must see that nothing was done
  }
  await open(url);
}

async function open(screen: string): Promise<void> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const first = windows[0];
  if (!first) return void (await self.clients.openWindow("/" + screen));
  first.postMessage({ go: screen });
  await first.focus();
}

/** The page renews the subscription, for it has the session; where none is open, the person is asked to open it. */
self.addEventListener("pushsubscriptionchange", ((event: ExtendableEvent) => {
  event.waitUntil(renew());
}) as EventListener);

async function renew(): Promise<void> {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  if (windows.length) return windows[0]!.postMessage({ again: true });
  await self.registration.showNotification("Doorward: alerts have stopped here", {
    body: "The browser has ended this device's subscription. Open Doorward to receive alerts again.",
    icon: "/icon-192.png",
    data: { url: "#/settings" },
  });
}
