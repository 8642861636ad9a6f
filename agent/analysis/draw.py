"""What was seen, drawn over the picture it was seen in: boxes, track numbers, where heads and eyes point, and words."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin

import cv2
import numpy as np

from agent.analysis.draw_floor import draw_floor
from agent.behaviour.floor import FloorPlan
from agent.core.conduct import Conduct, PersonConduct
from agent.core.messages import EXPRESSIONS, Attention, Box, FaceSeen, HeadPose, Liveness, Observation, PersonSeen
from agent.vision.drawing import AMBER, BLUE, GREEN, GREY, INK, RED, WHITE, Colour, scale_of, width_px, write
from agent.vision.faces import overlap
from hw.interfaces import Pixels

LETTERS = 0.5
"""Size of the letters at 640 px of width: capitals are 11 px high."""
LINE_PX = 18
AXES = 0.55
"""Length of the head's axes, and"""
GAZE = 1.0
"""of the eyes' arrow, in face widths."""
EYES_DOWN = 0.38
"""Where the eyes are in a face's box, from its top."""
AXIS_COLOURS: tuple[Colour, Colour, Colour] = ((60, 60, 230), (90, 200, 60), (235, 160, 60))
"""To the picture's right, down, and where the nose points."""
GAZE_COLOUR: Colour = (60, 230, 250)
LIVENESS: dict[str, Colour] = {"live": GREEN, "attack": RED, "unsure": AMBER}


def drawn(pixels: Pixels, observation: Observation, conduct: Conduct | None = None, plan: FloorPlan | None = None) -> Pixels:
    """A new picture of a frame (height x width x 3, BGR) with what was seen in it, and what is known of people's conduct.

    `conduct` may be a moment old; `plan` is that of pictures of this size.
    """
    picture = np.ascontiguousarray(pixels).copy()
    scale = scale_of(picture)
    if plan is not None:
        draw_floor(picture, plan, scale)
    for person in observation.persons:
        _draw_person(picture, person, scale, _conduct_of(conduct, person.track, None))
    taken: list[Box] = [face.box_px for face in observation.faces]
    bodies = {person.face for person in observation.persons}
    for face in observation.faces:
        own = "" if face.track in bodies else _conduct_of(conduct, None, face.track)
        taken.append(_draw_face(picture, face, taken, scale, own))
    _draw_foot(picture, observation, scale)
    return picture


def conduct_line(person: PersonConduct) -> str:
    """Zone, speed and glances of somebody, as far as they are known."""
    glances = next((item.value for item in person.evidence if item.kind == "glances"), 0)
    parts = [
        person.zone,
        "" if person.speed_m_s is None else f"{person.speed_m_s:.1f} m/s",
        f"glances {glances:.0f}" if glances else "",
    ]
    return "  ".join(part for part in parts if part)


def _conduct_of(conduct: Conduct | None, body: int | None, face: int | None) -> str:
    """The line of who has this body, or this face."""
    persons = () if conduct is None else conduct.persons
    found = (each for each in persons if (body is not None and each.body == body) or (face is not None and each.face == face))
    person = next(found, None)
    return "" if person is None else conduct_line(person)


def face_lines(face: FaceSeen) -> list[str]:
    """What is said beside a face, the most lasting first; what was not measured is not mentioned."""
    known = f"face {face.track}  q {face.quality:.2f}" + ("" if face.embedding else "  not embedded")
    lines = [known, *_liveness_line(face.liveness), *_attention_lines(face.attention)]
    if face.expression is not None:
        best = max(range(len(EXPRESSIONS)), key=face.expression.probabilities.__getitem__)
        lines.append(f"{EXPRESSIONS[best]} {face.expression.confidence:.2f}")
    return lines


def _liveness_line(liveness: Liveness | None) -> list[str]:
    return [] if liveness is None else [f"{liveness.verdict} {liveness.score:.2f} {liveness.reason.replace('_', ' ')}"]


def _attention_lines(attention: Attention | None) -> list[str]:
    if attention is None:
        return []
    lines = []
    if attention.head is not None:
        lines.append(f"head {attention.head.yaw_deg:+.0f} {attention.head.pitch_deg:+.0f} {attention.head.roll_deg:+.0f}")
    if attention.gaze is not None:
        lines.append(f"gaze {attention.gaze.yaw_deg:+.0f} {attention.gaze.pitch_deg:+.0f}" + ("  away" if attention.away else ""))
    elif attention.away:
        lines.append("looks away")
    eyes = "" if attention.eyes_open is None else f"  eyes {attention.eyes_open:.1f}"
    lines.append(f"blinks {attention.blinks}{eyes}")
    if attention.abstained:
        lines.append(attention.abstained.replace("_", " "))
    return lines


def axes(head: HeadPose) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Unit vectors of the head (its right side of the picture, down, nose) as the picture shows them: x to the right, y down.

    The signs are those of agent.core.messages.HeadPose; roll is applied first, then pitch, then yaw.
    """
    yaw, pitch, roll = (radians(angle) for angle in (head.yaw_deg, head.pitch_deg, head.roll_deg))
    right = (cos(yaw) * cos(roll) + sin(yaw) * sin(pitch) * sin(roll), cos(pitch) * sin(roll))
    down = (-cos(yaw) * sin(roll) + sin(yaw) * sin(pitch) * cos(roll), cos(pitch) * cos(roll))
    return right, down, pointing(head.yaw_deg, head.pitch_deg)


def pointing(yaw_deg: float, pitch_deg: float) -> tuple[float, float]:
    """Where in the picture (x right, y down) something points that is turned so from the camera; at most length one."""
    yaw, pitch = radians(yaw_deg), radians(pitch_deg)
    return sin(yaw) * cos(pitch), -sin(pitch)


def _draw_person(picture: Pixels, person: PersonSeen, scale: float, does: str) -> None:
    _box(picture, person.box_px, BLUE, round(1.5 * scale))
    x, y, _, height = (round(value) for value in person.box_px)
    whose = "" if person.face is None else f" (face {person.face})"
    foot = min(y + height, picture.shape[0] - round(26 * scale))
    lines = [f"person {person.track}{whose}", *([does] if does else [])]
    _panel(picture, lines, (x, foot - round(LINE_PX * scale) * len(lines) - 4), BLUE, scale)


def _draw_face(picture: Pixels, face: FaceSeen, taken: Sequence[Box], scale: float, does: str = "") -> Box:
    """Returns where its words are."""
    colour = GREY if face.liveness is None else LIVENESS[face.liveness.verdict]
    _box(picture, face.box_px, colour, round(2 * scale))
    if face.attention is not None:
        _draw_attention(picture, face.box_px, face.attention, scale)
    lines = [*face_lines(face), *([does] if does else [])]
    place = _beside(picture, face.box_px, _panel_px(lines, scale), taken, round(4 * scale))
    _panel(picture, lines, (round(place[0]), round(place[1])), colour, scale)
    return place


def _draw_attention(picture: Pixels, box: Box, attention: Attention, scale: float) -> None:
    x, y, width, height = box
    thick = max(1, round(2 * scale))
    if attention.head is not None:
        middle = (x + width / 2, y + height / 2)
        for (dx, dy), colour in zip(axes(attention.head), AXIS_COLOURS, strict=True):
            _arrow(picture, middle, (dx * AXES * width, dy * AXES * width), colour, thick)
    if attention.gaze is not None:
        dx, dy = pointing(attention.gaze.yaw_deg, attention.gaze.pitch_deg)
        _arrow(picture, (x + width / 2, y + EYES_DOWN * height), (dx * GAZE * width, dy * GAZE * width), GAZE_COLOUR, thick)


def _arrow(picture: Pixels, start: tuple[float, float], by: tuple[float, float], colour: Colour, thick: int) -> None:
    end = (round(start[0] + by[0]), round(start[1] + by[1]))
    cv2.arrowedLine(picture, (round(start[0]), round(start[1])), end, colour, thick, cv2.LINE_AA, tipLength=0.2)


def _box(picture: Pixels, box: Box, colour: Colour, thick: int) -> None:
    x, y, width, height = (round(value) for value in box)
    cv2.rectangle(picture, (x, y), (x + width, y + height), colour, max(1, thick), cv2.LINE_AA)


def _beside(picture: Pixels, box: Box, panel_px: tuple[int, int], taken: Sequence[Box], gap_px: int) -> Box:
    """Where about a face's box its words hide least of faces and of other words: right, left, above or below."""
    (x, y, width, height), (wide, high) = box, panel_px
    places = ((x + width + gap_px, y), (x - gap_px - wide, y), (x, y - gap_px - high), (x, y + height + gap_px))
    rooms = ((picture.shape[1] - wide), (picture.shape[0] - high))
    inside = [(max(0.0, min(left, rooms[0])), max(0.0, min(top, rooms[1])), float(wide), float(high)) for left, top in places]
    return min(inside, key=lambda place: sum(overlap(place, other) for other in taken))


def _panel_px(lines: Sequence[str], scale: float) -> tuple[int, int]:
    wide = max(width_px(line, LETTERS * scale) for line in lines)
    return wide + round(12 * scale), round(LINE_PX * scale * len(lines)) + round(6 * scale)


def _panel(picture: Pixels, lines: Sequence[str], at: tuple[int, int], colour: Colour, scale: float) -> None:
    """Lines in white on a dark ground with a coloured edge, moved so that they lie in the picture."""
    wide, high = _panel_px(lines, scale)
    x = max(0, min(at[0], picture.shape[1] - wide))
    y = max(0, min(at[1], picture.shape[0] - high))
    ground = picture[y : y + high, x : x + wide]
    ground[:] = (ground * 0.35 + np.array(INK) * 0.65).astype(np.uint8)
    cv2.rectangle(picture, (x, y), (x + max(1, round(3 * scale)), y + high - 1), colour, cv2.FILLED)
    for number, line in enumerate(lines, start=1):
        write(picture, line, (x + round(8 * scale), y + round((LINE_PX * number - 3) * scale)), LETTERS * scale, WHITE)


def _draw_foot(picture: Pixels, observation: Observation, scale: float) -> None:
    counts = f"faces {len(observation.faces)}  persons {len(observation.persons)}"
    line = f"{observation.taken_s:8.2f} s   frame {observation.frame}   {counts}   {observation.chain_ms:.0f} ms"
    height = round(22 * scale)
    cv2.rectangle(picture, (0, picture.shape[0] - height), (picture.shape[1], picture.shape[0]), INK, cv2.FILLED)
    write(picture, line, (round(8 * scale), picture.shape[0] - round(7 * scale)), LETTERS * scale, WHITE)
