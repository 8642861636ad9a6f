// Our own strokes on a grid of 24: an icon always stands beside its word.

const PATHS: Record<string, string> = {
  locked: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  unlocked: "M6 11h12v9H6zM8.5 11V7.5a3.5 3.5 0 0 1 6.6-1.6",
  open: "M4 21h16M6 21V4h12v17M6 4l8 3v14M11.5 13.5v1",
  door: "M4 21h16M6 21V3h12v18M14.5 12v1.5",
  jammed: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3M9.5 13.5l5 4.5M14.5 13.5l-5 4.5",
  offline: "M3 3l18 18M6.5 9.5a8 8 0 0 1 3-1.8M14 7.6a8 8 0 0 1 3.6 2M9 13a4.5 4.5 0 0 1 2-1M12 18h.01",
  unknown: "M9 9a3 3 0 1 1 4.2 2.8c-.8.4-1.2 1-1.2 2.2M12 18h.01",
  alarm: "M12 4l9 16H3zM12 10v4.5M12 17.5h.01",
  lockdown: "M12 3l8 3v6c0 5-3.5 7.7-8 9-4.5-1.3-8-4-8-9V6zM9 9l6 6M15 9l-6 6",
  block: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM6 6l12 12",
  critical: "M8 3h8l5 5v8l-5 5H8l-5-5V8zM12 8v5M12 16.5h.01",
  high: "M12 4l9 16H3zM12 10v4.5M12 17.5h.01",
  raised: "M5 15l7-7 7 7",
  ordinary: "M5 12.5l4.5 4.5L19 7.5",
  done: "M5 12.5l4.5 4.5L19 7.5",
  refused: "M6 6l12 12M18 6L6 18",
  sent: "M4 12h14M12 6l6 6-6 6",
  no_answer: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7v5.5l3.5 2",
  not_sent: "M4 12h7M15 8l6 8M21 8l-6 8",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.5 2h-15zM10 21h4",
  grid: "M4 4h6.5v6.5H4zM13.5 4H20v6.5h-6.5zM4 13.5h6.5V20H4zM13.5 13.5H20V20h-6.5z",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  map: "M3 6l6-2 6 2 6-2v14l-6 2-6-2-6 2zM9 4v14M15 6v14",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4.5 21c.6-4.200 3.500-6 7.500-6s6.900 1.800 7.500 6",
  people:
    "M9 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM2.500 20c.5-3.800 3-5.200 6.500-5.200s6 1.400 6.500 5.200M16 5.400a3.300 3.300 0 0 1 0 6.200M18 15.200c2 .6 3.200 2 3.500 4.800",
  report: "M6 3h9l4 4v14H6zM9.500 12h6M9.500 16h6M14.500 3v5H19",
  audit: "M4 5h10M4 10h10M4 15h6M14 17l2.500 2.500L21 14",
  settings: "M4 7h9M17 7h3M15 5v4M4 17h3M11 17h9M9 15v4",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  search: "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zM15.500 15.500L20 20",
  camera: "M4 8h3.500L9 5.500h6L16.500 8H20v11H4zM12 10a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7z",
  mic: "M12 3a3 3 0 0 0-3 3v5a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3zM5.500 11a6.500 6.500 0 0 0 13 0M12 17.500V21",
  play: "M7 4.500v15L19 12z",
  stop: "M6 6h12v12H6z",
  plus: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  close: "M6 6l12 12M18 6L6 18",
  key: "M8 10a4.500 4.500 0 1 0 0 9 4.500 4.500 0 0 0 0-9zM11 11.500L20 3M16 6.500l3 3",
  help: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.7.300-1 .8-1 1.700M12 16.500h.01",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4 8.500 8.500 0 1 0 20 14.500z",
  download: "M12 4v11M7 11l5 5 5-5M4 20h16",
  upload: "M12 16V5M7 9l5-5 5 5M4 20h16",
  eye: "M2.500 12C5 7.500 8.300 5.500 12 5.500s7 2 9.500 6.500c-2.500 4.500-5.800 6.500-9.500 6.500s-7-2-9.500-6.500zM12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
};

export function Icon({ name, class: extra = "" }: { name: string; class?: string }) {
  return (
    <svg class={`icon ${extra}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name] ?? PATHS["unknown"]} />
    </svg>
  );
}
