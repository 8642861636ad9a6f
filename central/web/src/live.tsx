// Somebody watches a door, and may speak: WebRTC straight from the door, signalled through the centre. Every look is on record.

import { signal, useSignal, type Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { ask, sentenceOf } from "./api";
import { Icon } from "./ui/icons";
import { Button } from "./ui/parts";

type Phase = "off" | "connecting" | "live" | "ended" | "refused";
type Box = [number, number, number, number];

interface Overlay {
  faces: { track: number; box: Box; subject: boolean }[];
  persons: { track: number; box: Box; subject: boolean; items: string[] }[];
  scene: string[];
}

interface Known {
  watching: { who?: string; account?: string; why?: string }[];
  ice: RTCIceServer[];
  may_watch: boolean;
  may_unmask: boolean;
}

interface Opened {
  session: string;
  sdp: string;
}

interface Talk {
  possible: boolean;
  who: string;
  yours: boolean;
}

interface Told {
  hello?: { who: string; unmasked: boolean };
  overlay?: Overlay;
  talk?: Talk;
  bye?: { reason?: string };
}

const GATHER_MS = 1500;
const FIRST_PICTURE_MS = 12_000;

/** One session with one door. Its signals say how far it is; `close` may be called twice. */
class Watching {
  readonly phase: Signal<Phase> = signal("off");
  readonly sentence = signal("");
  readonly overlay = signal<Overlay | null>(null);
  readonly unmasked = signal(false);
  readonly talking = signal(false);
  readonly mayTalk = signal(false);
  readonly word = signal("");
  readonly stream = new MediaStream();
  private peer: RTCPeerConnection | null = null;
  private channel: RTCDataChannel | null = null;
  private voice: RTCRtpTransceiver | null = null;
  private microphone: MediaStream | null = null;
  private session = "";
  private begun = 0;

  constructor(
    private readonly site: string,
    private readonly door: string,
  ) {}

  async open(why: string, unmask: boolean): Promise<void> {
    this.close();
    const turn = ++this.begun;
    this.phase.value = "connecting";
    this.sentence.value = "";
    try {
      const known = await ask<Known>(`/live/${this.site}/${this.door}/state`);
      const peer = this.connect(known.ice);
      await peer.setLocalDescription(await peer.createOffer());
      await gathered(peer);
      const sdp = peer.localDescription?.sdp ?? "";
      const opened = await ask<Opened>("/live", { body: { site: this.site, door: this.door, why, sdp, unmask } });
      if (turn !== this.begun) return void leave(opened.session);
      this.session = opened.session;
      this.unmasked.value = unmask;
      await peer.setRemoteDescription({ type: "answer", sdp: opened.sdp });
      setTimeout(
        () => turn === this.begun && this.phase.value === "connecting" && this.end("no picture came from the door"),
        FIRST_PICTURE_MS,
      );
    } catch (error) {
      if (turn === this.begun) this.end(sentenceOf(error), "refused");
    }
  }

  private connect(ice: RTCIceServer[]): RTCPeerConnection {
    const peer = new RTCPeerConnection({ iceServers: ice });
    this.peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    this.voice = peer.addTransceiver("audio", { direction: "sendrecv" });
    peer.ontrack = (event) => this.stream.addTrack(event.track);
    peer.onconnectionstatechange = () => {
      if (this.peer === peer && peer.connectionState === "failed") this.end("the connection to the door was lost");
    };
    this.channel = peer.createDataChannel("door");
    this.channel.onmessage = (message: MessageEvent<string>) => this.hear(JSON.parse(message.data) as Told);
    this.channel.onclose = () => this.peer === peer && this.end("the door has ended it");
    return peer;
  }

  private hear(told: Told): void {
    if (told.overlay) this.overlay.value = told.overlay;
    if (told.hello) this.unmasked.value = told.hello.unmasked;
    if (told.talk) this.heardOfTalk(told.talk);
    if (told.bye) this.end(told.bye.reason || "the door has ended it");
  }

  /** First answer takes the call: the door says whose word it is. */
  private heardOfTalk(talk: Talk): void {
    this.mayTalk.value = talk.possible;
    this.word.value = talk.who && !talk.yours ? `${talk.who} talks with this door` : "";
    if (talk.yours) this.talking.value = true;
    else if (this.talking.value && talk.who) this.hush();
  }

  follow(person: boolean): void {
    this.wish({ follow: person });
  }

  async talk(): Promise<void> {
    try {
      this.microphone ??= await navigator.mediaDevices.getUserMedia({
        audio: { echoCancellation: true, noiseSuppression: true },
      });
      await this.voice?.sender.replaceTrack(this.microphone.getAudioTracks()[0] ?? null);
      this.wish({ talk: true });
      this.talking.value = true;
    } catch {
      this.word.value = "the microphone is not allowed here, or there is none";
    }
  }

  hush(): void {
    if (this.talking.value) this.wish({ talk: false });
    this.talking.value = false;
    void this.voice?.sender.replaceTrack(null).catch(() => undefined);
    this.microphone?.getTracks().forEach((track) => track.stop());
    this.microphone = null;
  }

  private wish(wish: object): void {
    if (this.channel?.readyState === "open") this.channel.send(JSON.stringify(wish));
  }

  shown(): void {
    if (this.phase.value === "connecting") this.phase.value = "live";
  }

  private end(sentence: string, phase: Phase = "ended"): void {
    this.close();
    this.phase.value = phase;
    this.sentence.value = sentence;
  }

  close(): void {
    this.begun++;
    this.hush();
    const { peer, session } = this;
    this.peer = this.channel = null;
    this.session = "";
    peer?.close();
    this.stream.getTracks().forEach((track) => this.stream.removeTrack(track));
    this.overlay.value = null;
    this.mayTalk.value = false;
    this.word.value = "";
    this.phase.value = "off";
    if (session) leave(session);
  }
}

function leave(session: string): void {
  void ask(`/live/${session}`, { method: "DELETE" }).catch(() => undefined); // the door notices a browser that is gone
}

/** Candidates are sent with the offer: one round trip, and no more to signal. */
async function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return;
  await new Promise<void>((done) => {
    const timer = setTimeout(done, GATHER_MS);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      done();
    });
  });
}

export function LiveView({ site, door, why, online }: { site: string; door: string; why: string; online: boolean }) {
  const watching = useRef<Watching>(undefined);
  watching.current ??= new Watching(site, door);
  const now = watching.current;
  const known = useSignal<Known | null>(null);
  const follow = useSignal(true);
  const phase = now.phase.value;
  useEffect(() => {
    const gone = () => now.close();
    window.addEventListener("pagehide", gone);
    void ask<Known>(`/live/${site}/${door}/state`).then(
      (told) => (known.value = told),
      () => undefined,
    );
    return () => (window.removeEventListener("pagehide", gone), gone());
  }, []);
  const open = (unmask = false) => void now.open(why, unmask);
  const others = (known.value?.watching ?? []).map((each) => each.who ?? each.account ?? "").filter(Boolean);
  return (
    <figure class={`live ${phase}`} data-live={phase}>
      <Picture now={now} />
      {phase !== "live" && (
        <div class="cover">
          {phase === "connecting" ? (
            <p role="status">Connecting to the door …</p>
          ) : (
            <>
              {now.sentence.value && <p role="alert">{now.sentence.value}</p>}
              {!online && <p>The door is offline: no live picture.</p>}
              {known.value?.may_watch === false && <p>Your role may not watch.</p>}
              {others.length > 0 && <p>Watching already: {others.join(", ")}</p>}
              <Button icon="camera" kind="main" disabled={!online || known.value?.may_watch === false} onClick={() => open()}>
                {now.sentence.value ? "Try again" : "Watch live"}
              </Button>
              <p class="hint">That you watch, and why, is on record.</p>
            </>
          )}
        </div>
      )}
      <figcaption>
        <span class="note">
          <Icon name={now.unmasked.value && phase === "live" ? "eye" : "person"} />
          {now.unmasked.value && phase === "live" ? "Faces of bystanders are shown: on record" : "Faces of bystanders are hidden"}
        </span>
        {phase === "live" && (
          <span class="actions">
            <Button
              icon="mic"
              class={now.talking.value ? "talking" : ""}
              aria-pressed={now.talking.value}
              disabled={!now.mayTalk.value}
              onClick={() => (now.talking.value ? now.hush() : void now.talk())}
            >
              {now.mayTalk.value ? (now.talking.value ? "Stop talking" : "Talk") : "No sound here"}
            </Button>
            <Button icon="person" aria-pressed={follow.value} onClick={() => now.follow((follow.value = !follow.value))}>
              Follow
            </Button>
            {known.value?.may_unmask && !now.unmasked.value && (
              <Button icon="eye" onClick={() => open(true)}>
                Show faces
              </Button>
            )}
            <Button icon="stop" onClick={() => now.close()}>
              End
            </Button>
          </span>
        )}
        {now.word.value && <span role="status">{now.word.value}</span>}
      </figcaption>
    </figure>
  );
}

function Picture({ now }: { now: Watching }) {
  const video = useRef<HTMLVideoElement>(null);
  const frame = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (video.current) video.current.srcObject = now.stream;
  }, []);
  const fit = () => {
    const { videoWidth, videoHeight } = video.current!;
    if (videoWidth && frame.current) frame.current.style.aspectRatio = `${videoWidth} / ${videoHeight}`;
    now.shown();
  };
  return (
    <div class="picture" ref={frame}>
      <video ref={video} autoplay playsInline onLoadedData={fit} onResize={fit} aria-label="Live picture of the door" />
      <Boxes overlay={now.overlay.value} />
    </div>
  );
}

function Boxes({ overlay }: { overlay: Overlay | null }) {
  if (!overlay) return null;
  return (
    <>
      <svg class="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
        {overlay.persons.map(({ track, box: [x, y, w, h], subject }) => (
          <rect key={`p${track}`} x={x} y={y} width={w} height={h} class={subject ? "subject" : ""} />
        ))}
        {overlay.faces.map(({ track, box: [x, y, w, h], subject }) => (
          <rect key={`f${track}`} x={x} y={y} width={w} height={h} class={subject ? "subject" : ""} />
        ))}
      </svg>
      <ul class="seen" aria-label="What is measured now">
        {[...overlay.persons.filter((each) => each.subject).flatMap((each) => each.items), ...overlay.scene].map((line) => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </>
  );
}
