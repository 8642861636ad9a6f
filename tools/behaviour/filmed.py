"""Staged incidents with real pictures: the demo's scene through the whole chain of the door, then the watcher and the risk rules.

Some are recorded (tests/behaviour/episodes): replayed without a picture, they must give the same conduct and the same alarms again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
from msgspec.structs import replace

from agent.config import Config
from agent.core.messages import Observation
from agent.vision.build import build_chain_maker
from agent.vision.chain import Chain
from agent.vision.engine import open_engine
from agent.vision.faces import iou
from demo.people import fetch_people, find
from demo.scene import Scene
from hw.interfaces import Frame
from models_tflite.manifest import load_manifest
from tools.behaviour.episode import Episode
from tools.behaviour.seen import FRAMES_PER_S

SIZE = (640, 480)
SAME_FACE_IOU = 0.25
CAST = ("stranger", "owner", "visitor", "colleague")


def chain_maker() -> Callable[[], Chain]:
    """Makes the door's chain, as `workplace-eu` has it. One thread, as on a door."""
    cv2.setNumThreads(1)
    return build_chain_maker(open_engine("litert", 1), load_manifest(), Config(site="filmed", door="front"))


def cast_of(episode: Episode) -> Episode:
    """The same with people of the demo in it: the first walk's is the thief where the fob is another's, else the owner."""
    people = fetch_people(progress=lambda text: None)
    stranger_first = any(news.refused_for for news in episode.news)
    names = CAST if stranger_first else ("owner", "stranger", "colleague", "visitor")
    walks = tuple(replace(walk, portrait=find(people, names[number % len(names)]),
                          holds_up=find(people, "owner") if walk.holds_up is not None else None, turns_round=True)
                  for number, walk in enumerate(episode.walks))  # fmt: skip
    return replace(episode, walks=walks)


class Film:
    """The observations of an episode's pictures, and whose face each walk's is."""

    def __init__(self, episode: Episode, chain: Chain, size: tuple[int, int] = SIZE) -> None:
        self._episode, self._chain, self._size = episode, chain, size
        self._faces: dict[int, int] = {}

    def face_of(self, walk: int) -> int | None:
        return self._faces.get(walk)

    def all(self) -> Iterator[Observation]:
        """Frame by frame, drawn while they are asked for."""
        scene = Scene(*self._size, self._episode.seed, self._episode.walks)
        for number in range(math.floor(self._episode.ends_s * FRAMES_PER_S)):
            at_s = number / FRAMES_PER_S
            seen = self._chain.process(Frame(scene.frame(at_s), at_s), at_s)
            for true in scene.truth(at_s):
                face = max(seen.faces, key=lambda face: iou(face.box_px, true.face_box_px), default=None)
                if face is not None and iou(face.box_px, true.face_box_px) > SAME_FACE_IOU:
                    self._faces[self._episode.walks.index(true.walk)] = face.track
            yield plain(seen)


def plain(seen: Observation) -> Observation:
    """Without anything that a face could be recognised by, and without what a clock measured."""
    faces = tuple(replace(face, embedding=b"") for face in seen.faces)
    return replace(seen, faces=faces, chain_ms=0.0, engine="recorded", embedder_id="recorded")
