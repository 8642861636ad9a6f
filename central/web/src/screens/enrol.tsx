// Enrolment: first the text and a signature, then pictures with an answer to each, then templates. No picture is kept.

import { useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api";
import { go } from "../route";
import { Icon } from "../ui/icons";
import { SignaturePad } from "../ui/signature";
import { Button, Chip, Field, Page, Panel, Trouble, useLoaded, useWork } from "../ui/parts";
import { EnrolAtDoor } from "./enrolatdoor";

export interface Seen {
  fit: boolean;
  reason: string;
  sentence: string;
  pose: string;
  quality: number | null;
  poses_done: string[];
  poses_wanted: string[];
  duplicate: { name?: string; id?: string; person?: string }[];
}

const EVERY_MS = 700;

export function EnrolScreen({ id }: { id: string }) {
  const at = `/people/${encodeURIComponent(id)}`;
  const begun = useSignal("");
  const seen = useSignal<Seen | null>(null);
  useEffect(
    () => () => {
      if (begun.value) void ask(`/enrolment/${begun.value}`, { method: "DELETE" }).catch(() => undefined);
    },
    [],
  );
  return (
    <Page title="Enrol a face" back={`#${at}`} class="narrow">
      {!begun.value ? <Consent at={at} begun={begun} /> : <Pictures key={begun.value} at={at} begun={begun} seen={seen} />}
      {begun.value && <Finish at={at} begun={begun} seen={seen} />}
    </Page>
  );
}

function Consent({ at, begun }: { at: string; begun: Signal<string> }) {
  const found = useLoaded(() => ask<{ edition: string; text: string }>("/consent"), "consent");
  const name = useSignal("");
  const read = useSignal(false);
  const drawn = useSignal("");
  const work = useWork();
  const sign = () =>
    work.run(async () => {
      await ask(`${at}/consent`, { body: signed(found.value!.edition, name.value, drawn.value) });
      begun.value = await begin(at);
    });
  // The centre knows whether what was signed still counts, and says so where it does not.
  const goOn = () => work.run(async () => void (begun.value = await begin(at)));
  return (
    <Panel title="1. Consent">
      <p>To be read and signed by the person themselves, before any picture. Without it they use fob and PIN.</p>
      <Trouble error={found.error} />
      {found.value && (
        <>
          <div class="consenttext" tabIndex={0} role="region" aria-label="Text of the consent">
            {paragraphs(found.value.text).map((each, at) => (
              <p key={at}>{each}</p>
            ))}
          </div>
          <p class="hint">Edition {found.value.edition}</p>
        </>
      )}
      <label class="inline">
        <input type="checkbox" checked={read.value} onChange={(event) => (read.value = event.currentTarget.checked)} /> I have
        read this and agree
      </label>
      <Field label="Signed (the person's name, typed by them)">
        <input
          maxLength={200}
          autocomplete="off"
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
      </Field>
      <SignaturePad drawn={drawn} />
      <Trouble error={work.error} />
      <Button
        kind="main"
        busy={work.busy}
        disabled={!found.value || !read.value || !name.value.trim()}
        onClick={() => void sign()}
      >
        Sign
      </Button>
      <Button busy={work.busy} onClick={() => void goOn()}>
        They have signed already
      </Button>
    </Panel>
  );
}

const begin = async (at: string): Promise<string> => (await ask<{ session: string }>(`${at}/enrolment`, { body: {} })).session;

/** The file's lines end where an editor broke them; a blank line is where a paragraph ends. */
const paragraphs = (text: string): string[] =>
  text
    .trim()
    .split(/\n\s*\n/)
    .map((each) => each.replace(/\n(?![-*\d])/g, " "));

/** A drawing belongs to the typed name, and is left out where somebody cannot draw. */
function signed(edition: string, name: string, drawn: string): object {
  return { edition, signed_name: name.trim(), ...(drawn ? { signature: drawn } : {}) };
}

function Pictures({ at, begun, seen }: { at: string; begun: Signal<string>; seen: Signal<Seen | null> }) {
  const session = begun.value;
  const work = useWork();
  /** The first picture was another's: what was looked at is forgotten, and the signature counts. */
  const again = () =>
    work.run(async () => {
      await ask(`/enrolment/${session}`, { method: "DELETE" });
      begun.value = await begin(at);
      seen.value = null;
    });
  const look = async (picture: Blob): Promise<void> => {
    seen.value = await ask<Seen>(`/enrolment/${session}/pictures`, { raw: picture, type: picture.type, timeout_ms: 30_000 });
  };
  const files = (chosen: FileList | null) =>
    work.run(async () => {
      for (const file of chosen ?? []) await look(file);
    });
  const atDoor = useSignal(false);
  return (
    <Panel title="2. Pictures">
      <Where atDoor={atDoor} />
      {atDoor.value ? (
        <EnrolAtDoor session={session} seen={seen} />
      ) : (
        <>
          <Camera look={look} />
          <Field label="Or photographs" hint="JPEG or PNG. They are looked at and not kept.">
            <input
              type="file"
              accept="image/jpeg,image/png"
              multiple
              onChange={(event) => void files(event.currentTarget.files)}
            />
          </Field>
          <Feedback seen={seen.value} />
        </>
      )}
      <Alike seen={seen.value} />
      <Trouble error={work.error} />
      {seen.value && (
        <Button busy={work.busy} onClick={() => void again()}>
          Forget these pictures
        </Button>
      )}
    </Panel>
  );
}

function Where({ atDoor }: { atDoor: Signal<boolean> }) {
  return (
    <fieldset class="row">
      <legend>Where</legend>
      {[[false, "This device, or photographs"] as const, [true, "At a door's camera"] as const].map(([value, word]) => (
        <label class="inline" key={word}>
          <input type="radio" name="where" checked={atDoor.value === value} onChange={() => (atDoor.value = value)} /> {word}
        </label>
      ))}
    </fieldset>
  );
}

function Feedback({ seen }: { seen: Seen | null }) {
  if (!seen) return <p class="hint">Look straight at the camera.</p>;
  return (
    <div aria-live="polite" class="stack">
      <p>
        <Icon name={seen.fit ? "done" : "raised"} /> {seen.sentence}
        {seen.quality !== null && <small> quality {Math.round(seen.quality * 100)} %</small>}
      </p>
      <p class="poses">
        {[
          ...seen.poses_done.map((pose) => [pose, true] as const),
          ...seen.poses_wanted.filter((pose) => !seen.poses_done.includes(pose)).map((pose) => [pose, false] as const),
        ].map(([pose, done]) => (
          <Chip key={pose} icon={done ? "done" : "camera"}>
            {pose.replaceAll("_", " ")}: {done ? "done" : "wanted"}
          </Chip>
        ))}
      </p>
    </div>
  );
}

function Alike({ seen }: { seen: Seen | null }) {
  if (!seen?.duplicate.length) return null;
  const who = seen.duplicate.map((each) => each.name ?? each.person ?? each.id).join(", ");
  return <Trouble error={`This face is very like somebody's who is enrolled: ${who}. Look at both before you go on.`} />;
}

/** Pictures go one after the other: the next when the last has been answered. */
function Camera({ look }: { look: (picture: Blob) => Promise<void> }) {
  const video = useRef<HTMLVideoElement>(null);
  const stream = useSignal<MediaStream | null>(null);
  const work = useWork();
  const stop = () => {
    stream
      .peek()
      ?.getTracks()
      .forEach((track) => track.stop());
    stream.value = null;
  };
  useEffect(() => stop, []);
  useEffect(() => {
    const now = stream.value;
    if (!now) return;
    video.current!.srcObject = now;
    let goes = true;
    const turn = async (): Promise<void> => {
      while (goes) {
        const picture = await still(video.current!);
        if (picture && goes) await look(picture);
        await new Promise((done) => setTimeout(done, EVERY_MS));
      }
    };
    turn().catch(
      (error: unknown) => (
        stop(),
        void work.run(() => Promise.reject(error instanceof Error ? error : new Error(String(error))))
      ),
    );
    return () => void (goes = false);
  }, [stream.value]);
  const start = () =>
    work.run(async () => {
      try {
        stream.value = await navigator.mediaDevices.getUserMedia({
          video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" },
        });
      } catch {
        throw new Error("the camera is not allowed here, or there is none: use photographs");
      }
    });
  return (
    <div class="stack">
      {stream.value && <video ref={video} class="enrolvideo" autoplay muted playsInline aria-label="The camera's picture" />}
      <div class="row">
        <Button icon={stream.value ? "stop" : "camera"} busy={work.busy} onClick={() => (stream.value ? stop() : void start())}>
          {stream.value ? "Stop the camera" : "Use this device's camera"}
        </Button>
      </div>
      <Trouble error={work.error} />
    </div>
  );
}

async function still(video: HTMLVideoElement): Promise<Blob | null> {
  if (!video.videoWidth) return null;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  canvas.getContext("2d")!.drawImage(video, 0, 0);
  return new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
}

function Finish({ at, begun, seen }: { at: string; begun: Signal<string>; seen: Signal<Seen | null> }) {
  const anyway = useSignal("");
  const work = useWork();
  const alike = (seen.value?.duplicate.length ?? 0) > 0;
  const ready = (seen.value?.poses_done.length ?? 0) > 0 && (!alike || anyway.value.trim() !== "");
  const finish = () =>
    work.run(async () => {
      await ask(`/enrolment/${begun.value}/finish`, { body: { anyway: alike ? anyway.value.trim() : "" } });
      begun.value = "";
      go(at);
    });
  return (
    <Panel title="3. Finish">
      {alike && (
        <Field label="Why this is somebody else">
          <input maxLength={500} value={anyway.value} onInput={(event) => (anyway.value = event.currentTarget.value)} />
        </Field>
      )}
      <Button kind="main" busy={work.busy} disabled={!ready} onClick={() => void finish()}>
        Keep templates, forget the pictures
      </Button>
      <Trouble error={work.error} />
    </Panel>
  );
}
