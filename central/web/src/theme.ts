// Light, dark, or as the device says.

import { signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";
const KEY = "doorward-theme";

export const theme = signal<Theme>((localStorage.getItem(KEY) as Theme | null) ?? "auto");

export function startTheme(): void {
  theme.subscribe((now) => {
    localStorage.setItem(KEY, now);
    if (now === "auto") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = now;
  });
}

export const isDark = (): boolean =>
  theme.value === "dark" || (theme.value === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
