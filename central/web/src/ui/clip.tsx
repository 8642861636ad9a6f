// What the door kept of a moment: encrypted there, fetched when somebody asks, and that they asked is on record.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask, Refused } from "../api";
import { Button, Trouble, useWork } from "./parts";

type ClipState = { state: string; sentence?: string };

export function Clip({ site, door, n, why }: { site: string; door: string; n: number; why: string }) {
  const url = useSignal("");
  const work = useWork();
  useEffect(
    () => () => {
      if (url.value) URL.revokeObjectURL(url.value);
    },
    [],
  );
  const fetchIt = () =>
    work.run(async () => {
      const told = await ask<ClipState>("/clips", { body: { site, door, event_n: n, why }, timeout_ms: 90_000 });
      if (told.state !== "here") throw new Refused(404, told.state, told.sentence || "the door has kept no clip of this");
      url.value = URL.createObjectURL(await arrived(n));
    });
  if (url.value)
    return (
      <video
        ref={shown}
        class="clip"
        src={url.value}
        controls
        autoplay
        muted
        playsInline
        aria-label="What the door kept of this event"
      />
    );
  return (
    <div class="clipbar">
      <Button icon="play" busy={work.busy} onClick={() => void fetchIt()}>
        {work.busy ? "Fetching from the door …" : "What happened"}
      </Button>
      <Trouble error={work.error} />
    </div>
  );
}

const shown = (film: HTMLVideoElement | null) => film?.scrollIntoView({ block: "center", behavior: "smooth" });

async function arrived(n: number): Promise<Blob> {
  const answer = await fetch(`/api/clips/${n}`);
  if (answer.ok) return answer.blob();
  throw new Refused(answer.status, "refused", `the clip could not be opened: the centre answered ${answer.status}`);
}
