// Floor plans: doors where they are, zones in the colour of the risk that stands there now.

import { useSignal } from "@preact/signals";
import L from "leaflet";
import "leaflet/dist/leaflet.css";
import { useEffect, useRef } from "preact/hooks";
import { ask, doorKey, query, session, type Band, type DoorNow, type FloorMap, type PlacedDoor, type Zone } from "../api";
import { BANDS, bandOf, isAbove, standing, titleOf } from "../doors";
import { go, route } from "../route";
import { doors, link } from "../state";
import {
  Button,
  Dialog,
  DoorBand,
  Empty,
  Field,
  Page,
  Panel,
  StateWord,
  Trouble,
  useLoaded,
  useWork,
  Working,
} from "../ui/parts";

const mayDraw = (): boolean => session.value?.role === "manager" || session.value?.role === "installer";

/** Pixels of the picture, y downwards, as Leaflet's plane has them: latitude upwards. */
const at = (x: number, y: number): L.LatLngTuple => [-y, x];
const pixels = (point: L.LatLng): [number, number] => [Math.round(point.lng * 10) / 10, Math.round(-point.lat * 10) / 10];

export function MapScreen() {
  const found = useLoaded(() => ask<FloorMap[]>("/maps"), "maps");
  const maps = found.value;
  const wanted = Number(route.value.parts[0]);
  const map = maps?.find((each) => each.id === wanted) ?? maps?.[0];
  const adds = useSignal(false);
  return (
    <Page
      title="Map"
      actions={
        mayDraw() && (
          <Button icon="plus" onClick={() => (adds.value = true)}>
            New map
          </Button>
        )
      }
    >
      <Trouble error={found.error} />
      {maps && maps.length > 1 && (
        <div class="segments" role="group" aria-label="Floor plan">
          {maps.map((each) => (
            <button key={each.id} type="button" aria-pressed={each.id === map?.id} onClick={() => go(`/map/${each.id}`)}>
              {each.name}
            </button>
          ))}
        </div>
      )}
      {!maps && !found.error && <Working what="Asking for the maps" />}
      {maps?.length === 0 && (
        <Empty>
          There is no floor plan yet.{" "}
          {mayDraw() ? "Add one: a PNG or JPEG of up to 10 MiB." : "A manager or installer can add one."}
        </Empty>
      )}
      {map && <OneMap key={`${map.id}/${map.edition}`} map={map} again={found.again} />}
      <NewMap open={adds.value} close={() => (adds.value = false)} again={found.again} />
    </Page>
  );
}

function NewMap({ open, close, again }: { open: boolean; close: () => void; again: () => Promise<void> }) {
  const name = useSignal("");
  const file = useSignal<File | null>(null);
  const work = useWork();
  const send = () =>
    work.run(async () => {
      const made = await ask<FloorMap>("/maps" + query({ name: name.value.trim() }), {
        raw: file.value!,
        type: file.value!.type,
        timeout_ms: 60_000,
      });
      await again();
      name.value = "";
      close();
      go(`/map/${made.id}`);
    });
  return (
    <Dialog title="New map" open={open} close={close}>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Field label="Name">
          <input
            required
            maxLength={80}
            placeholder="Ground floor"
            value={name.value}
            onInput={(event) => (name.value = event.currentTarget.value)}
          />
        </Field>
        <Field label="Floor plan" hint="PNG or JPEG, up to 10 MiB and 40 million pixels.">
          <input
            type="file"
            required
            accept="image/png,image/jpeg"
            onChange={(event) => (file.value = event.currentTarget.files?.[0] ?? null)}
          />
        </Field>
        <Trouble error={work.error} />
        <Button type="submit" kind="main" icon="upload" busy={work.busy} disabled={!file.value || !name.value.trim()}>
          Add
        </Button>
      </form>
    </Dialog>
  );
}

const EDIT_WAYS = ["doors", "zones"] as const;
type Way = (typeof EDIT_WAYS)[number];

function OneMap({ map, again }: { map: FloorMap; again: () => Promise<void> }) {
  const drawing = useSignal(false);
  const layout = useSignal({ doors: map.doors, zones: map.zones });
  const chosen = useSignal("");
  const work = useWork();
  const save = () =>
    work.run(async () => {
      await ask(`/maps/${map.id}`, { method: "PUT", body: { name: map.name, edition: map.edition, ...layout.value } });
      drawing.value = false;
      await again();
    });
  const drop = () => {
    layout.value = { doors: map.doors, zones: map.zones };
    drawing.value = false;
  };
  const remove = () =>
    work.run(async () => {
      await ask(`/maps/${map.id}`, { method: "DELETE" });
      await again();
    });
  return (
    <div class={`maparea ${drawing.value ? "drawing" : ""}`}>
      <div class="mapbar">
        <h2>{map.name}</h2>
        {mayDraw() && !drawing.value && <Button onClick={() => (drawing.value = true)}>Place doors and zones</Button>}
        {drawing.value && (
          <>
            <Button kind="main" busy={work.busy} onClick={() => void save()}>
              Save
            </Button>
            <Button onClick={drop}>Leave as it was</Button>
            <Twice label="Delete this map" run={() => void remove()} />
          </>
        )}
      </div>
      <Trouble error={work.error} />
      {drawing.value ? (
        <Drawing map={map} layout={layout} />
      ) : (
        <Plan map={map} chosen={chosen.value} choose={(key) => (chosen.value = key)} />
      )}
      {!drawing.value && chosen.value && <Chosen of={chosen.value} close={() => (chosen.value = "")} />}
      {!drawing.value && <MapList map={map} choose={(key) => (chosen.value = key)} />}
    </div>
  );
}

function Twice({ label, run }: { label: string; run: () => void }) {
  const armed = useSignal(false);
  return (
    <Button kind="danger" onClick={() => (armed.value ? run() : (armed.value = true))} onBlur={() => (armed.value = false)}>
      {armed.value ? "Really delete?" : label}
    </Button>
  );
}

function Chosen({ of, close }: { of: string; close: () => void }) {
  const door = doors.value.get(of)?.value;
  if (!door) return null;
  return (
    <Panel
      title={titleOf(door)}
      class="chosen"
      actions={
        <Button kind="quiet" icon="close" onClick={close}>
          Close
        </Button>
      }
    >
      <p class="doornow">
        <StateWord door={door} large /> <DoorBand door={door} />
      </p>
      {door.risk && door.online && isAbove(bandOf(door)) && <p>{door.risk.sentence}</p>}
      <a class="button main" href={`#/door/${door.site}/${door.door}`}>
        Door, live picture and commands
      </a>
    </Panel>
  );
}

/** The same for whoever does not see the map. */
function MapList({ map, choose }: { map: FloorMap; choose: (key: string) => void }) {
  return (
    <details class="maplist">
      <summary>
        Doors and zones as a list ({map.doors.length} and {map.zones.length})
      </summary>
      <ul>
        {map.zones.map((zone) => (
          <li key={zone.id}>
            Zone {zone.name}: {worst(zone)} risk
          </li>
        ))}
        {map.doors.map((placed) => {
          const door = doors.value.get(doorKey(placed))?.value;
          return (
            <li key={doorKey(placed)}>
              <button type="button" class="link" onClick={() => choose(doorKey(placed))}>
                {door ? titleOf(door) : placed.door}
              </button>{" "}
              {door ? <StateWord door={door} /> : "not known"}
            </li>
          );
        })}
      </ul>
    </details>
  );
}

export function worst(zone: Zone): Band {
  const known = link.value === "cut" ? [] : zone.doors;
  const found = known.map((key) => doors.value.get(key)?.value).filter((door): door is DoorNow => !!door?.online);
  return found.map(bandOf).reduce<Band>((a, b) => (BANDS.indexOf(a) < BANDS.indexOf(b) ? a : b), "ordinary");
}

// -- Leaflet ---------------------------------------------------------------------------------------------------------------------

function opened(frame: HTMLElement, map: FloorMap, quiet = false): L.Map {
  const bounds = L.latLngBounds(at(0, map.height_px), at(map.width_px, 0));
  const made = L.map(frame, {
    crs: L.CRS.Simple,
    minZoom: -5,
    maxZoom: 3,
    zoomSnap: 0.25,
    attributionControl: false,
    maxBounds: bounds.pad(0.5),
    zoomAnimation: !matchMedia("(prefers-reduced-motion: reduce)").matches,
    ...(quiet
      ? {
          zoomControl: false,
          dragging: false,
          scrollWheelZoom: false,
          doubleClickZoom: false,
          touchZoom: false,
          boxZoom: false,
          keyboard: false,
        }
      : {}),
  });
  L.imageOverlay(`/api/maps/${map.id}/picture`, bounds, { alt: `Floor plan ${map.name}` }).addTo(made);
  made.fitBounds(bounds, { padding: [34, 16] });
  return made;
}

/** Built of nodes, not of markup: a door's name is never taken for HTML. */
interface Pin {
  icon: L.DivIcon;
  dress: (marked: boolean) => void;
}

/** Dressed anew in place as news comes: a node that is replaced takes a click that has begun with it. */
function pinOf(placed: PlacedDoor): Pin {
  const [node, name, word] = (["span", "b", "small"] as const).map((tag) => document.createElement(tag)) as [
    HTMLElement,
    HTMLElement,
    HTMLElement,
  ];
  node.append(name, word);
  const dress = (marked: boolean) => {
    const door = doors.peek().get(doorKey(placed))?.peek();
    const old = link.peek() === "cut";
    const known = door ? standing(door) : { tone: "lost", word: "not known" };
    const now = old ? { tone: "lost", word: `was ${known.word.toLowerCase()}` } : known;
    const band = door?.online && !old ? bandOf(door) : "ordinary";
    node.className = `pin tone-${now.tone} band-${band} ${marked ? "marked" : ""}`;
    name.textContent = nameOf(placed);
    if (node.parentElement) node.parentElement.title = nameOf(placed);
    word.textContent = isAbove(band) ? `${now.word}, ${band} risk` : now.word;
  };
  return { icon: L.divIcon({ html: node, className: "pinframe", iconSize: [0, 0] }), dress };
}

function zoneShape(zone: Zone): L.Polygon {
  const band = worst(zone);
  const shape = L.polygon(
    zone.points.map(([x, y]) => at(x, y)),
    { className: `zone band-${band}`, weight: 2 },
  );
  const label = document.createElement("span");
  label.textContent = isAbove(band) ? `${zone.name}: ${band} risk` : zone.name;
  return shape.bindTooltip(label, { permanent: true, direction: "center", className: "zonename" });
}

function Plan({
  map,
  chosen,
  choose,
  marked = "",
  quiet = false,
}: {
  map: FloorMap;
  chosen: string;
  choose: (key: string) => void;
  marked?: string;
  quiet?: boolean;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const made = useRef<{ zones: L.LayerGroup; pins: Map<string, Pin> }>(undefined);
  const chooses = useRef(choose);
  chooses.current = choose;
  useEffect(() => {
    const opens = opened(frame.current!, map, quiet);
    made.current = { zones: L.layerGroup().addTo(opens), pins: new Map() };
    for (const placed of map.doors) {
      const key = doorKey(placed);
      const pin = pinOf(placed);
      made.current.pins.set(key, pin);
      L.marker(at(placed.x, placed.y), {
        icon: pin.icon,
        keyboard: !quiet,
        autoPanOnFocus: false, // a map that moves under the finger takes the click away
      })
        .on("click", () => chooses.current(key))
        .addTo(opens);
      if (key === marked) opens.setView(at(placed.x, placed.y), opens.getZoom() + 1);
    }
    const watch = new ResizeObserver(() => opens.invalidateSize());
    watch.observe(frame.current!);
    return () => (watch.disconnect(), void opens.remove());
  }, []);
  // Every door on the map is read here, so that news of one dresses its pin anew.
  const told = map.doors.map((each) => doors.value.get(doorKey(each))?.value);
  const zones = map.zones.map(worst).join();
  useEffect(() => {
    const layer = made.current!.zones.clearLayers();
    for (const zone of map.zones) zoneShape(zone).addTo(layer);
  }, [zones]);
  useEffect(() => {
    for (const [key, pin] of made.current!.pins) pin.dress(key === marked || key === chosen);
  }, [...told, chosen, link.value]);
  return <div ref={frame} class={`plan ${quiet ? "small" : ""}`} role="group" aria-label={`Floor plan ${map.name}`} />;
}

/** Where the door of an alert is. Nothing, when it is on no map. */
export function MapOfDoor({ site, door }: { site: string; door: string }) {
  const found = useLoaded(() => ask<FloorMap[]>("/maps"), `${site}/${door}`);
  const map = found.value?.find((each) => each.doors.some((placed) => placed.site === site && placed.door === door));
  if (!map) return found.value ? <p class="hint">This door is on no map yet.</p> : null;
  return (
    <Plan
      key={`${map.id}/${site}/${door}`}
      map={map}
      chosen=""
      marked={`${site}/${door}`}
      choose={() => go(`/map/${map.id}`)}
      quiet
    />
  );
}

// -- drawing ---------------------------------------------------------------------------------------------------------------------

interface DrawnLayout {
  doors: PlacedDoor[];
  zones: Zone[];
}

function Drawing({ map, layout }: { map: FloorMap; layout: { value: DrawnLayout } }) {
  const frame = useRef<HTMLDivElement>(null);
  const made = useRef<{ map: L.Map; layer: L.LayerGroup }>(undefined);
  const way = useSignal<Way>("doors");
  const corners = useSignal<[number, number][]>([]);
  useEffect(() => {
    const opens = opened(frame.current!, map);
    made.current = { map: opens, layer: L.layerGroup().addTo(opens) };
    opens.on("click", (event) => {
      if (way.peek() === "zones") corners.value = [...corners.peek(), clipped(pixels(event.latlng), map)];
    });
    return () => void opens.remove();
  }, []);
  const now = layout.value;
  useEffect(() => redraw(made.current!.layer, map, layout, corners), [now, corners.value]);
  const here = new Set(now.doors.map(doorKey));
  const others = [...doors.value.values()]
    .map((each) => each.peek())
    .filter((each) => each.site === map.site && !here.has(doorKey(each)));
  const put = (key: string) => {
    const [site = "", door = ""] = key.split("/");
    const [x, y] = clipped(pixels(made.current!.map.getCenter()), map);
    layout.value = { ...now, doors: [...now.doors, { site, door, x, y }] };
  };
  return (
    <div class="draw">
      <div class="segments" role="group" aria-label="What to draw">
        {EDIT_WAYS.map((each) => (
          <button key={each} type="button" aria-pressed={way.value === each} onClick={() => (way.value = each)}>
            {each === "doors" ? "Doors" : "Zones"}
          </button>
        ))}
      </div>
      {way.value === "doors" ? (
        <PutDoors others={others} put={put} layout={layout} map={map} />
      ) : (
        <DrawZones layout={layout} corners={corners} />
      )}
      <div ref={frame} class="plan" role="group" aria-label={`Floor plan ${map.name}, being drawn`} />
    </div>
  );
}

const clipped = ([x, y]: [number, number], map: FloorMap): [number, number] => [
  Math.min(Math.max(0, x), map.width_px),
  Math.min(Math.max(0, y), map.height_px),
];

function redraw(
  layer: L.LayerGroup,
  map: FloorMap,
  layout: { value: DrawnLayout },
  corners: { value: [number, number][] },
): void {
  layer.clearLayers();
  for (const zone of layout.value.zones) zoneShape(zone).addTo(layer);
  if (corners.value.length)
    L.polyline(
      corners.value.map(([x, y]) => at(x, y)),
      { className: "zone drawn" },
    ).addTo(layer);
  for (const [x, y] of corners.value) L.circleMarker(at(x, y), { radius: 5, className: "corner" }).addTo(layer);
  for (const placed of layout.value.doors) {
    const { icon, dress } = pinOf(placed);
    dress(false);
    const marker = L.marker(at(placed.x, placed.y), { icon, draggable: true, title: nameOf(placed), autoPan: true }).addTo(layer);
    marker.on("dragend", () => {
      const [x, y] = clipped(pixels(marker.getLatLng()), map);
      moved(layout, placed, x, y);
    });
  }
}

function moved(layout: { value: DrawnLayout }, placed: PlacedDoor, x: number, y: number): void {
  const key = doorKey(placed);
  layout.value = { ...layout.value, doors: layout.value.doors.map((each) => (doorKey(each) === key ? { ...each, x, y } : each)) };
}

function PutDoors({
  others,
  put,
  layout,
  map,
}: {
  others: DoorNow[];
  put: (key: string) => void;
  layout: { value: DrawnLayout };
  map: FloorMap;
}) {
  const now = layout.value;
  const remove = (placed: PlacedDoor) =>
    (layout.value = { ...now, doors: now.doors.filter((each) => doorKey(each) !== doorKey(placed)) });
  return (
    <div class="drawside">
      <Field
        label="Put a door on the map"
        hint="It appears in the middle; drag it to its place, or move it with the numbers below."
      >
        <select value="" onChange={(event) => put(event.currentTarget.value)}>
          <option value="">{others.length ? `${others.length} doors are not on this map` : "every door is on this map"}</option>
          {others.map((door) => (
            <option key={doorKey(door)} value={doorKey(door)}>
              {titleOf(door)}
            </option>
          ))}
        </select>
      </Field>
      <ul class="placed">
        {now.doors.map((placed) => (
          <li key={doorKey(placed)}>
            <span>{nameOf(placed)}</span>
            <Pixels
              label={`${nameOf(placed)}: x in px`}
              value={placed.x}
              most={map.width_px}
              set={(x) => moved(layout, placed, x, placed.y)}
            />
            <Pixels
              label={`${nameOf(placed)}: y in px`}
              value={placed.y}
              most={map.height_px}
              set={(y) => moved(layout, placed, placed.x, y)}
            />
            <Button kind="quiet" icon="close" onClick={() => remove(placed)}>
              Take off
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function nameOf(placed: PlacedDoor): string {
  const door = doors.value.get(doorKey(placed))?.value;
  return door ? titleOf(door) : placed.door;
}

function Pixels({ label, value, most, set }: { label: string; value: number; most: number; set: (value: number) => void }) {
  return (
    <input
      type="number"
      aria-label={label}
      min={0}
      max={most}
      step={1}
      value={Math.round(value)}
      onChange={(event) => set(Math.min(most, Math.max(0, event.currentTarget.valueAsNumber || 0)))}
    />
  );
}

function DrawZones({ layout, corners }: { layout: { value: DrawnLayout }; corners: { value: [number, number][] } }) {
  const name = useSignal("");
  const now = layout.value;
  const chosen = useSignal<string[]>([]);
  const close = () => {
    const zone: Zone = { id: freeId(name.value, now.zones), name: name.value.trim(), points: corners.value, doors: chosen.value };
    layout.value = { ...now, zones: [...now.zones, zone] };
    corners.value = [];
    name.value = "";
    chosen.value = [];
  };
  const remove = (zone: Zone) => (layout.value = { ...now, zones: now.zones.filter((each) => each.id !== zone.id) });
  const flip = (key: string) =>
    (chosen.value = chosen.value.includes(key) ? chosen.value.filter((each) => each !== key) : [...chosen.value, key]);
  return (
    <div class="drawside">
      <p class="hint">
        Click the corners on the map, name the zone, say which doors belong to it: their worst risk gives it its colour.
      </p>
      <Field label="Name of the zone">
        <input maxLength={80} value={name.value} onInput={(event) => (name.value = event.currentTarget.value)} />
      </Field>
      <fieldset>
        <legend>Doors of the zone</legend>
        {now.doors.map((placed) => (
          <label class="inline" key={doorKey(placed)}>
            <input type="checkbox" checked={chosen.value.includes(doorKey(placed))} onChange={() => flip(doorKey(placed))} />{" "}
            {nameOf(placed)}
          </label>
        ))}
        {!now.doors.length && <p class="hint">Place doors first.</p>}
      </fieldset>
      <div class="row">
        <Button kind="main" disabled={corners.value.length < 3 || !name.value.trim()} onClick={close}>
          Make the zone
        </Button>
        <Button disabled={!corners.value.length} onClick={() => (corners.value = corners.value.slice(0, -1))}>
          One corner back
        </Button>
        <span class="hint">{corners.value.length} corners</span>
      </div>
      <ul class="placed">
        {now.zones.map((zone) => (
          <li key={zone.id}>
            <span>{zone.name}</span>
            <Button kind="quiet" icon="close" onClick={() => remove(zone)}>
              Take off
            </Button>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function freeId(name: string, zones: Zone[]): string {
  const plain =
    name
      .toLowerCase()
      .normalize("NFKD")
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 34) || "zone";
  const taken = new Set(zones.map((each) => each.id));
  for (let count = 1; ; count++) {
    const id = count === 1 ? plain : `${plain}-${count}`;
    if (!taken.has(id)) return id;
  }
}
