// Where we are: `#/door/hq/front`. The server needs to know one page only, and a link in an alert works after any update.

import { computed, signal } from "@preact/signals";

// A link of an alert in a mail: /alerts/7 is this page, and the same screen.
if (location.pathname !== "/") history.replaceState(null, "", "/" + (location.hash || "#" + location.pathname));

const here = signal(location.hash);
window.addEventListener("hashchange", () => (here.value = location.hash));

export const route = computed(() => {
  const [path = "", search = ""] = here.value.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { screen: parts[0] ?? "", parts: parts.slice(1), search: new URLSearchParams(search) };
});

export function go(path: string): void {
  location.hash = path;
}

/** The route with other search words, without a new step in the browser's history. */
export function refine(path: string): void {
  history.replaceState(null, "", "#" + path);
  here.value = location.hash;
}
