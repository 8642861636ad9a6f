// A signature drawn with finger, pen or mouse. It stands beside the typed name, which is enough for whoever cannot draw.

import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Button } from "./parts";

const [WIDTH_PX, HEIGHT_PX] = [700, 200];
const INK = "#101814";

/** `drawn` gets the picture as PNG in base64; empty while nothing is drawn. */
export function SignaturePad({ drawn }: { drawn: Signal<string> }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const last = useRef<[number, number] | null>(null);
  useEffect(() => {
    const pen = canvas.current!.getContext("2d")!;
    Object.assign(pen, { lineWidth: 3, lineCap: "round", lineJoin: "round", strokeStyle: INK, fillStyle: INK });
  }, []);
  const place = (event: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect();
    return [((event.clientX - box.left) * WIDTH_PX) / box.width, ((event.clientY - box.top) * HEIGHT_PX) / box.height];
  };
  const begin = (event: PointerEvent) => {
    canvas.current!.setPointerCapture(event.pointerId);
    last.current = place(event);
    const [x, y] = last.current;
    const pen = canvas.current!.getContext("2d")!;
    pen.beginPath();
    pen.arc(x, y, 1.5, 0, 2 * Math.PI);
    pen.fill();
  };
  const draw = (event: PointerEvent) => {
    if (!last.current) return;
    const pen = canvas.current!.getContext("2d")!;
    pen.beginPath();
    pen.moveTo(...last.current);
    for (const each of event.getCoalescedEvents?.() ?? [event]) pen.lineTo(...place(each));
    last.current = place(event);
    pen.lineTo(...last.current);
    pen.stroke();
  };
  const end = () => {
    if (!last.current) return;
    last.current = null;
    drawn.value = canvas.current!.toDataURL("image/png").replace(/^data:.*?,/, "");
  };
  const clear = () => {
    canvas.current!.getContext("2d")!.clearRect(0, 0, WIDTH_PX, HEIGHT_PX);
    drawn.value = "";
  };
  return (
    <div class="field">
      <span class="label">Drawn, if they like (finger, pen or mouse; the typed name is enough)</span>
      <canvas
        ref={canvas}
        class="signature"
        width={WIDTH_PX}
        height={HEIGHT_PX}
        role="img"
        aria-label={drawn.value ? "A signature is drawn" : "Empty: to be signed here by drawing; the typed name is enough"}
        onPointerDown={begin}
        onPointerMove={draw}
        onPointerUp={end}
        onPointerCancel={end}
      />
      <span class="row">
        <Button disabled={!drawn.value} onClick={clear}>
          Wipe it out
        </Button>
      </span>
    </div>
  );
}
