// Which key was pressed before this one: `g a` goes to the alerts and acknowledges none.

let now = "";
let before = "";
document.addEventListener("keydown", (event) => ([before, now] = [now, event.key]), { capture: true });

export const follows = (key: string): boolean => before === key;

/** A key on its own, and not one that somebody types or that belongs to the browser. */
export function isOurs(event: KeyboardEvent): boolean {
  const target = event.target;
  const typed = target instanceof HTMLElement && (target.matches("input, textarea, select") || !!target.closest("dialog[open]"));
  return !typed && !event.ctrlKey && !event.metaKey && !event.altKey;
}
