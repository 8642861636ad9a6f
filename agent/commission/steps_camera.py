"""The steps before the camera: aiming it, marking the floor, learning the empty view."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agent.commission.aim import LOW_Y, Advice, Look, Needs, Turn, advise, taken
from agent.commission.desk import Desk
from agent.commission.outcome import Outcome, left_out, well, wrong
from agent.commission.session_file import CAMERA, FLOOR
from agent.errors import ConfigError
from agent.floor_file import camera_view, load_plan, read_text
from agent.ownership import give_to_owner_of

if TYPE_CHECKING:
    from agent.commission.camera import DoorEye
    from agent.vision.scene_watch import SceneWatch
    from hw.interfaces import Pixels

DRAW_S = 0.25
"""Between two drawings: faster is unrest, slower no feedback."""
REDO_AIM = "doorward commission --only aim"


@contextmanager
def opened(desk: Desk) -> Iterator[DoorEye]:
    """Raises CameraError, HardwareError, ModelError; ConfigError where pictures cannot be read at all."""
    try:
        from agent.commission.camera import DoorEye
    except ImportError as error:
        raise ConfigError(f"pictures cannot be read: {error}: pip install 'doorward[vision]'") from error
    eye = DoorEye(desk.config)
    try:
        yield eye
    finally:
        eye.close()


# -- aiming ----------------------------------------------------------------------------------------------------------------------


class Aimed(NamedTuple):
    """How one turn before the camera went."""

    turn: Turn
    at_s: float
    last: Advice
    moved: bool
    """The camera had to be turned for it."""

    @property
    def good(self) -> bool:
        return self.turn.over(self.at_s)


PATIENCE_AIM = 4.0
"""Times as long as other hands are waited for: the camera may hang on a ladder's other side."""
MOVES = frozenset({"left", "right", "high", "low", "small", "near"})
TURNS = {
    "standing": "Stand where people hold out their fob, look at the camera, and turn it until this says Good. Enter ends it.",
    "sitting": "Now crouch: eyes 1.2 m above the floor, as somebody in a wheelchair. Turn the camera, if you must.",
}


def aim(desk: Desk) -> Outcome:
    """Live, as text. Of the face nothing is kept but its size and quality."""
    desk.guide.notes(
        "Somebody is looked at here. It is shown on this terminal alone, too coarse to know them by, and no picture is kept."
    )
    with opened(desk) as eye:
        results = {name: _aim(desk, eye, name, words) for name, words in TURNS.items()}
        if results["sitting"].moved:  # what was good for somebody who stands may be so no more
            results["standing"] = _aim(desk, eye, "standing", "Stand once more: is it still Good?")
    measured = {name: f"{best.face_px:.0f} px, quality {best.quality:.2f}" for name, aimed in results.items()
                if (best := aimed.turn.best) is not None}  # fmt: skip
    bad = {name: aimed.last for name, aimed in results.items() if not aimed.good}
    if not bad:
        return well("a face is seen well, of people who stand and of people who sit", measured)
    name, last = next(iter(bad.items()))
    return wrong(f"{name}: not seen well for a moment. {last.say}", _likely(last), REDO_AIM, measured)


def _likely(last: Advice) -> str:
    return {"good": "the face was good and lost again: somebody moved, or the light changes", "nobody": "nobody stood there, or the lens"
            " points elsewhere"}.get(last.word, "")  # fmt: skip


def _needs(desk: Desk, name: str) -> Needs:
    policy = desk.config.policy
    needs = Needs(least_px=policy.min_face_px, least_quality=policy.min_quality)
    return needs if name == "standing" else msgspec.structs.replace(needs, band_y=LOW_Y)


def _aim(desk: Desk, eye: DoorEye, name: str, words: str) -> Aimed:
    guide, needs = desk.guide, _needs(desk, name)
    guide.do("aim", words)
    turn, until_s, drawn_s = Turn(), time.monotonic() + PATIENCE_AIM * desk.options.timeout_s, 0.0
    words_told: list[str] = [""]
    while True:
        frame = eye.frame()
        look = eye.look(frame.pixels)
        advice = advise(look, needs)
        turn, now_s = taken(turn, look, advice, frame.taken_s), time.monotonic()
        over = turn.over(frame.taken_s) or now_s >= until_s or guide.has_pressed_enter()
        if guide.draws and (over or now_s - drawn_s >= DRAW_S):
            drawn_s = now_s
            _draw(desk, frame.pixels, look, advice, needs)
        if advice.word != words_told[-1]:
            words_told.append(advice.word)
            _say(desk, name, look, advice)
        if over:
            guide.drawn()
            return Aimed(turn, frame.taken_s, advice, not MOVES.isdisjoint(words_told))


def _draw(desk: Desk, pixels: Pixels, look: Look, advice: Advice, needs: Needs) -> None:
    from agent.commission.aim_panel import panel

    guide = desk.guide
    lines = panel(pixels, look, advice, needs, width=guide.width - 4, colour=guide.colour)
    guide.draw([*(f"    {line}" for line in lines), *guide.advice(advice.say, good=advice.good)])


def _say(desk: Desk, name: str, look: Look, advice: Advice) -> None:
    """For a script, and where lines cannot be written over."""
    if not desk.guide.draws:
        desk.guide.notes(f"{look.face_px:.0f} px: {advice.say}" if look.box_px is not None else advice.say)
    x, y = look.middle
    desk.guide.sees({"step": "aim", "turn": name, "word": advice.word, "say": advice.say, "face_px": round(look.face_px),
                     "x": round(x, 2), "y": round(y, 2), "quality": round(look.quality, 2)})  # fmt: skip


# -- the floor -------------------------------------------------------------------------------------------------------------------

WAYS = {
    "sheets": "four printed sheets lie on the floor (`doorward floor board sheets.pdf` makes them)",
    "points": "you type pixels and metres of four points or more",
    "keep": "it was marked before, and the camera has not moved since",
    "no": "later: until then metres are guessed",
}


def floor(desk: Desk) -> Outcome:
    """By `doorward floor mark`; a picture of it, without faces, when whoever is in it agrees."""
    file = Path(desk.config.behaviour.floor)
    if not desk.config.behaviour.enabled:
        _take_picture(desk)
        return left_out("behaviour.enabled = false: nobody reads a floor")
    ways = WAYS if file.exists() else {way: words for way, words in WAYS.items() if way != "keep"}
    way = desk.guide.choose("floor", "floor", "How is the floor marked?", ways, "no")
    if way == "no":
        _take_picture(desk)
        return left_out("not marked: how far away people are is guessed by a lens and a height that are assumed")
    if way != "keep":
        _mark(desk, way)
    _take_picture(desk)
    return _told(desk, file)


def _mark(desk: Desk, way: str) -> None:
    """Raises DoorwardError for points that do not go together."""
    words = ["mark", "--config", str(desk.config_file)]
    if way == "sheets":
        rectangle = desk.guide.ask_text(
            "floor", "rectangle", "Where do their middles lie, in metres: WIDE NEAR FAR?", "1.2 2.2 3.6"
        )
        words += ["--board", "--rectangle", *rectangle.split()]
    else:
        words += _points(desk)
    for line in _floor_command(words):
        desk.guide.notes(line)


def _points(desk: Desk) -> list[str]:
    words: list[str] = []
    while point := desk.guide.ask_text("floor", "point", "PX,PX=M,M (Enter: no more)?"):
        words += ["--point", point]
    return words


def _floor_command(words: list[str]) -> list[str]:
    """What `doorward floor …` says when it has done it. Raises DoorwardError; ConfigError for words that it does not take."""
    from agent import floor_cli

    parser, said = ArgumentParser(prog="doorward"), StringIO()
    floor_cli.add_parser(parser.add_subparsers())
    with redirect_stderr(said):
        try:
            args = parser.parse_args(["floor", *words])
        except SystemExit as error:
            raise ConfigError(said.getvalue().strip().splitlines()[-1]) from error
        args.func(args)
    return [line for line in said.getvalue().splitlines() if not line.startswith("wrote ")]


def _take_picture(desk: Desk) -> None:
    """What the camera sees, heads made coarse: only when everybody in it agrees."""
    guide, store = desk.guide, desk.store
    guide.notes("A picture of the camera's view goes into the report, with every head made unrecognisable. Step out of the view, or ask "
                "whoever stays in it.")  # fmt: skip
    if not guide.agrees("floor", "picture", "Does everybody agree?"):
        for name in (CAMERA, FLOOR):
            (store.folder / name).unlink(missing_ok=True)
        return
    with opened(desk) as eye:
        from agent.commission.camera import jpeg

        frame = _settled(eye)
        picture = eye.faceless(frame)
        store.write(CAMERA, jpeg(picture))
        _draw_floor(desk, picture)


def _settled(eye: DoorEye) -> Pixels:
    """A frame after the exposure has settled."""
    first = eye.frame()
    frame = first
    while frame.taken_s - first.taken_s < 1.0:
        frame = eye.frame()
    return frame.pixels


def _draw_floor(desk: Desk, picture: Pixels) -> None:
    """The floor over the picture, and the plan from above."""
    file = Path(desk.config.behaviour.floor)
    if not file.exists():
        return
    import cv2

    plain, drawn = desk.store.folder / "view.part.png", desk.store.folder / "floor.part.jpg"
    try:
        cv2.imwrite(str(plain), picture)
        _floor_command(["show", str(drawn), "--picture", str(plain), "--config", str(desk.config_file)])
        desk.store.write(FLOOR, drawn.read_bytes())
    finally:
        for part in (plain, drawn):
            part.unlink(missing_ok=True)


def _told(desk: Desk, file: Path) -> Outcome:
    from agent.floor_file import assumed_of
    from agent.floor_report import against

    read_text(file)
    plan = load_plan(file, assumed_of(desk.config))
    if odd := against(plan, desk.config):
        return wrong("; ".join(odd), mend="doorward commission --only floor")
    if _was_moved(desk, plan.marking):
        return wrong(
            "the door has noticed that its camera was moved since this floor was marked", mend="mark it anew, by sheets or points"
        )
    camera = plan.ground.camera
    measured = {} if camera is None else {"camera": f"{camera.at_m[2]:.2f} m above the floor, {camera.tilt_deg:.0f} degrees down",
                                          "lens": f"{camera.across_deg:.0f} degrees"}  # fmt: skip
    zones = ", ".join(zone.name for zone in plan.zones)
    return well(f"marked; zones: {zones}" if zones else "marked", measured)


def _was_moved(desk: Desk, marking: str) -> bool:
    from agent.behaviour.floor import FloorValidity
    from agent.watching import MOVED_FILE

    try:
        moved = (Path(desk.config.records.folder) / MOVED_FILE).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return not FloorValidity(marking, moved).valid


# -- the empty view --------------------------------------------------------------------------------------------------------------

LEAST_SHARE = 0.3
"""Of the time that it may take, the view must have been empty."""
PATIENCE_TIMES = 3.0


class Learned(NamedTuple):
    """What was learned, and for how long somebody stood in the way."""

    watch: SceneWatch
    learned_s: float
    busy: int
    looks: int


def scene(desk: Desk) -> Outcome:
    """What the camera sees when nobody is there, as sums of edges: so that it is noticed when it is turned, covered or out of focus."""
    if not desk.config.vision.scene_watch:
        return left_out("vision.scene_watch = false: nobody would notice a camera that is turned away")
    desk.guide.do(
        "scene", f"Step out of the camera's view for {desk.options.scene_s:.0f} s, and let nobody pass. The door is shut."
    )
    with opened(desk) as eye:
        learned = _learn(desk, eye)
    return _judge(desk, learned)


def _learn(desk: Desk, eye: DoorEye) -> Learned:
    """As long as was asked for, and on while the view could be recognised soon: a busy controller gives few pictures a second."""
    from agent.vision.scene_watch import SceneWatch

    wanted_s, watch = desk.options.scene_s, SceneWatch()
    learned_s, busy, looks = 0.0, 0, 0
    first_s = last_s = eye.frame().taken_s
    while (learned_s < wanted_s or _goes_on(watch)) and last_s - first_s < PATIENCE_TIMES * wanted_s:
        frame = eye.frame()
        if frame.taken_s - last_s < watch.settings.sample_s:
            continue
        looks += 1
        if eye.people(frame.pixels):
            busy += 1
            desk.guide.over("Somebody is in the view: step aside.")
        else:
            watch.see(frame.pixels, frame.taken_s)
            learned_s += min(frame.taken_s - last_s, 2 * watch.settings.sample_s)
            desk.guide.waiting(max(0.0, wanted_s - learned_s))
        last_s = frame.taken_s
    return Learned(watch, learned_s, busy, looks)


def _goes_on(watch: SceneWatch) -> bool:
    return not watch.blind and (watch.kept is None or watch.kept.learned_s < watch.settings.learn_s)


def _judge(desk: Desk, learned: Learned) -> Outcome:
    from agent.vision.scene_view import Reference

    kept, settings = learned.watch.kept, learned.watch.settings
    measured = {"empty for": f"{learned.learned_s:.0f} s", "somebody in it": f"{learned.busy} of {learned.looks} looks"}
    again = "doorward commission --only scene"
    if learned.learned_s < LEAST_SHARE * desk.options.scene_s:
        return wrong("somebody, or what looks like somebody, was in the view nearly all the time", "a poster, a mirror, people who pass",
                     again, measured)  # fmt: skip
    if learned.watch.signs:
        return wrong(
            f"the view is {', '.join(learned.watch.signs)}", "a camera that stands still, or was moved meanwhile", again, measured
        )
    if kept is None or kept.learned_s < settings.learn_s:
        return wrong("the camera shows too little to be recognised by: whether it is moved or covered cannot be told",
                     "a plain wall, or a room that is dark", "turn it so that edges are seen: a door frame, tiles", measured)  # fmt: skip
    measured |= {"recognised by": f"{Reference(kept.strips).pieces} pieces of the view", "focus known": f"in {int(kept.clear.sum())} of"
                 f" {kept.clear.size} fields"}  # fmt: skip
    _keep_view(desk, learned.watch)
    return well("learned: the door tells when its camera is turned, covered, dazzled or out of focus", measured)


def _keep_view(desk: Desk, watch: SceneWatch) -> None:
    """Where the vision program goes on with it. Raises ConfigError."""
    from agent.files import write_whole
    from agent.vision.scene_file import VIEW_FILE, saved

    records = Path(desk.config.records.folder)
    path = records / VIEW_FILE
    if watch.kept is None:
        return
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(saved(watch.kept, camera_view(desk.config))) + b"\n")
        give_to_owner_of(records, path.parent, path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error}") from error
