// The frame: who is signed in, where to go, whether what is shown is true now.

import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect, useLayoutEffect } from "preact/hooks";
import { session, type Role } from "./api";
import { left } from "./awake";
import { follows, isOurs } from "./keys";
import { go, route } from "./route";
import { AlertsScreen } from "./screens/alerts";
import { AlertScreen } from "./screens/alert";
import { DoorScreen } from "./screens/door";
import { DoorsScreen } from "./screens/doors";
import { EventScreen, EventsScreen } from "./screens/events";
import { SettingsScreen } from "./screens/settings";
import { SignIn } from "./screens/signin";
import { broker, lastHeard, link, openAlerts, spoken } from "./state";
import { clock } from "./times";
import { Icon } from "./ui/icons";
import { Dialog, Working } from "./ui/parts";

interface Place {
  path: string;
  label: string;
  icon: string;
  key: string;
  roles: Role[];
}

const ALL: Role[] = ["guard", "manager", "installer", "privacy", "auditor"];
const PLACES: Place[] = [
  { path: "alerts", label: "Alerts", icon: "bell", key: "a", roles: ["guard", "manager"] },
  { path: "doors", label: "Doors", icon: "grid", key: "d", roles: ALL },
  { path: "map", label: "Map", icon: "map", key: "m", roles: ALL },
  { path: "events", label: "Events", icon: "list", key: "e", roles: ALL },
  { path: "people", label: "People", icon: "people", key: "p", roles: ["guard", "manager", "privacy"] },
  { path: "access", label: "Access", icon: "key", key: "c", roles: ["manager", "installer", "privacy", "auditor"] },
  { path: "duty", label: "Duty", icon: "no_answer", key: "y", roles: ["guard", "manager"] },
  { path: "reports", label: "Reports", icon: "report", key: "r", roles: ["guard", "manager", "privacy", "auditor"] },
  { path: "audit", label: "Audit", icon: "audit", key: "u", roles: ["auditor", "privacy"] },
  { path: "accounts", label: "Accounts", icon: "person", key: "o", roles: ["manager", "privacy", "auditor"] },
  { path: "updates", label: "Updates", icon: "upload", key: "t", roles: ["manager", "installer", "auditor"] },
  { path: "settings", label: "Settings", icon: "settings", key: "s", roles: ALL },
];
const ON_PHONE = 4;
/** Told to nobody who sees some sites only. */
const OF_ALL_SITES = ["accounts", "audit"];

const LATER: Record<string, () => Promise<ComponentType>> = {
  adddoor: () => import("./screens/adddoor").then((made) => made.AddDoorScreen),
  map: () => import("./screens/map").then((made) => made.MapScreen),
  people: () => import("./screens/people").then((made) => made.PeopleScreen),
  access: () => import("./screens/access").then((made) => made.AccessScreen),
  accounts: () => import("./screens/accounts").then((made) => made.AccountsScreen),
  duty: () => import("./screens/duty").then((made) => made.DutyScreen),
  reports: () => import("./screens/reports").then((made) => made.ReportsScreen),
  updates: () => import("./screens/updates").then((made) => made.UpdatesScreen),
  audit: () => import("./screens/reports").then((made) => made.AuditScreen),
};

const NOW: Record<string, ComponentType> = {
  doors: DoorsScreen,
  door: DoorScreen,
  events: EventsScreen,
  event: EventScreen,
  settings: SettingsScreen,
};

export function App() {
  const who = session.value;
  if (who === undefined) return <NotYet />;
  if (who === null) return <SignIn />;
  return <Signed role={who.role} />;
}

function NotYet() {
  return (
    <main class="notyet">
      <Cut />
      {link.value !== "cut" ? (
        <Working what="Asking the centre" />
      ) : (
        <p>Nothing can be shown: this device keeps nothing of doors and people.</p>
      )}
    </main>
  );
}

function Signed({ role }: { role: Role }) {
  const help = useSignal(false);
  const more = useSignal(false);
  useKeys(help);
  useLayoutEffect(() => {
    if (location.hash.length < 3) go(role === "guard" ? "/alerts" : "/doors");
  }, [role]);
  useEffect(() => {
    more.value = false;
    window.scrollTo(0, 0);
  }, [route.value.screen, route.value.parts.join("/")]);
  const every = session.value?.sites.length === 0;
  const places = PLACES.filter((each) => each.roles.includes(role) && (every || !OF_ALL_SITES.includes(each.path)));
  return (
    <div class={`frame ${link.value === "cut" ? "stale" : ""}`}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.getElementById("main")?.focus())}>
        To the content
      </a>
      <nav aria-label="Screens" class={more.value ? "expanded" : ""}>
        <a class="mark" href="#/doors" aria-label="Doorward: doors at a glance">
          <Icon name="door" />
          <span>Doorward</span>
        </a>
        {places.map((place, number) => (
          <NavLink key={place.path} place={place} minor={number >= ON_PHONE} />
        ))}
        <button
          type="button"
          class={`navlink phone ${places.slice(ON_PHONE).some((each) => at(each)) ? "here" : ""}`}
          aria-expanded={more.value}
          onClick={() => (more.value = !more.value)}
        >
          <Icon name="more" />
          <span>More</span>
        </button>
        <button type="button" class="navlink wide bottom" onClick={() => (help.value = true)}>
          <Icon name="help" />
          <span>Keys</span>
        </button>
      </nav>
      <div class="body">
        <Cut />
        <StillThere />
        <main id="main" tabIndex={-1}>
          <Screen />
        </main>
      </div>
      <p class="unseen" role="status" aria-live="assertive">
        {spoken.value}
      </p>
      <Keys open={help.value} close={() => (help.value = false)} />
    </div>
  );
}

const at = ({ path }: Place): boolean => route.value.screen === path || route.value.screen + "s" === path;

function NavLink({ place, minor }: { place: Place; minor: boolean }) {
  const here = at(place);
  const waiting = place.path === "alerts" ? openAlerts.value.length : 0;
  return (
    <a class={`navlink ${minor ? "minor" : ""}`} href={`#/${place.path}`} aria-current={here ? "page" : undefined}>
      <Icon name={place.icon} />
      <span>{place.label}</span>
      {waiting > 0 && (
        <b class="count">
          {waiting}
          <span class="unseen"> open</span>
        </b>
      )}
    </a>
  );
}

function Screen() {
  const { screen, parts } = route.value;
  if (screen === "alerts") return parts[0] ? <AlertScreen key={parts[0]} id={parts[0]} /> : <AlertsScreen />;
  const Here = NOW[screen];
  if (Here) return <Here key={parts.join("/")} />;
  if (LATER[screen]) return <Lazy key={screen} screen={screen} />;
  return screen ? <p class="empty">There is no screen of that name.</p> : null;
}

function Lazy({ screen }: { screen: string }) {
  const made = useSignal<ComponentType | null>(null);
  const failed = useSignal(false);
  useEffect(() => {
    LATER[screen]!().then(
      (found) => (made.value = found),
      () => (failed.value = true),
    );
  }, [screen]);
  if (failed.value)
    return (
      <p class="empty">This screen could not be loaded: the centre cannot be reached, or it was updated. Load the page again.</p>
    );
  const Here = made.value;
  return Here ? <Here /> : <Working what="Loading" />;
}

/** Says when nothing new comes any more: what is old is never shown as true. */
function Cut() {
  if (link.value !== "cut" && broker.value) return null;
  if (link.value !== "cut") {
    return (
      <div class="cut" role="alert">
        <Icon name="offline" />
        <span>
          <strong>The centre does not hear its broker.</strong> No door is known to be there; events come when it is back.
        </span>
      </div>
    );
  }
  return (
    <div class="cut" role="alert">
      <Icon name="offline" />
      <span>
        <strong>Not connected{lastHeard.value ? ` since ${clock(lastHeard.value)}` : ""}.</strong>
        {session.value ? " What you see is old. Trying again …" : " Trying again …"}
      </span>
    </div>
  );
}

/** Nobody has moved a hand for long: any key, or a touch, says that somebody is there. */
function StillThere() {
  if (left.value === null) return null;
  const minutes = Math.max(1, Math.ceil(left.value / 60));
  return (
    <div class="cut" role="alert">
      <Icon name="person" />
      <span>
        <strong>Are you still there?</strong> Press any key or touch the screen: else you are signed out in {minutes}{" "}
        {minutes === 1 ? "minute" : "minutes"}, and alerts are no longer shown here.
      </span>
    </div>
  );
}

function useKeys(help: { value: boolean }): void {
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (!isOurs(event)) return;
      if (event.key === "?") help.value = true;
      else if (event.key === "/") focusSearch(event);
      else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
      else if (follows("g")) PLACES.filter((each) => each.key === event.key).forEach((each) => go("/" + each.path));
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, []);
}

function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>("input[type=search]");
  if (field) {
    event.preventDefault();
    field.focus();
  }
}

function step(by: number): void {
  const rows = [...document.querySelectorAll<HTMLElement>("[data-row]")];
  const at = rows.indexOf(document.activeElement as HTMLElement);
  rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
}

const KEYS: [string, string][] = [
  ...PLACES.map((each): [string, string] => [`g ${each.key}`, each.label]),
  ["j / k", "next / one before, in lists"],
  ["/", "search"],
  ["a", "acknowledge (on an alert)"],
  ["n", "write a note (on an alert)"],
  ["?", "these keys"],
];

function Keys({ open, close }: { open: boolean; close: () => void }) {
  return (
    <Dialog title="Keys" open={open} close={close}>
      <dl class="keys">
        {KEYS.map(([key, what]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">Commands to doors have no keys: they are given with Tab and Enter, on purpose.</p>
    </Dialog>
  );
}
