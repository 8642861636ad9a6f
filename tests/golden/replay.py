"""A recipe through the whole chain, frame by frame, to what is recorded of it."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from numpy._core._multiarray_umath import __cpu_features__

from agent.core.access import Access, Cardholder
from agent.core.decide import Case, Decision, DecisionPolicy, carried, decide, view_at
from agent.core.identity import FaceRules, cosine
from agent.core.messages import CredentialRead, DoorMode, FaceSeen, Observation
from agent.models_sums import fixed_picture
from agent.vision.engine import Engine, open_engine
from agent.vision.enrol import Template
from demo.scene import Scene
from hw.interfaces import Frame, Pixels
from models_tflite.manifest import ModelEntry, load_manifest
from tests.golden.chain import enroller, new_chain
from tests.golden.episodes import FRAMES_PER_S, SIZE, Episode
from tests.vision.people import portrait, whole_picture

HERE = Path(__file__).parent
LIVENESS = ("off", "alert", "deny_attack", "require_live")
FMR = 0.001
PACKAGES = ("numpy", "opencv-python-headless", "ai-edge-litert")

Line = dict[str, Any]


def recorded(episode: Episode) -> list[Line]:
    """The recording's lines: header, frames, decisions."""
    return [msgspec.json.decode(line) for line in file_of(episode).read_bytes().splitlines()]


def record(episode: Episode) -> Path:
    file = file_of(episode)
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in replayed(episode)))
    return file


def file_of(episode: Episode) -> Path:
    return HERE / f"{episode.name}.jsonl"


def replayed(episode: Episode) -> list[Line]:
    """The same lines, made now. One thread, as on a door."""
    cv2.setNumThreads(1)
    engine = open_engine("litert", 1)
    template = owners_template()
    seen = list(observations(episode, engine))
    lines = [frame_line(observation, pixels, template) for observation, pixels in seen]
    header = {"episode": episode.name, "story": episode.story, "seed": episode.seed, "made_with": made_with()}
    return [header, *lines, {"decisions": decisions(episode, [observation for observation, _ in seen], template)}]


def observations(episode: Episode, engine: Engine) -> Iterator[tuple[Observation, Pixels]]:
    chain = new_chain(engine)
    scene = Scene(*SIZE, episode.seed, episode.walks())
    for number in range(round(episode.seconds * FRAMES_PER_S)):
        at_s = number / FRAMES_PER_S
        frame = Frame(scene.frame(at_s), at_s)
        yield chain.process(frame, at_s), frame.pixels


def made_with() -> Line:
    """What a number may depend on beside our own code: networks, libraries, and the kernels that the runtime has for this processor. Those
    are told by what they answer: two processors of one instruction set were found to round in another order."""
    manifest, engine = load_manifest(), open_engine("litert", 1)
    return {
        "models": {model.role: model.sha256[:12] for model in manifest.models},
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "features": _hash(" ".join(sorted(name for name, has in __cpu_features__.items() if has)).encode())[:12],
        "kernels": {model.role: _answer_to_noise(model, engine)[:12] for model in manifest.models},
    }


def _answer_to_noise(model: ModelEntry, engine: Engine) -> str:
    outputs = engine.load(model).run(fixed_picture(model.inputs[0].shape))
    return _hash(b"".join(output.tobytes() for output in outputs))


@functools.lru_cache(maxsize=1)
def owners_template() -> bytes:
    made = enroller(open_engine("litert", 1)).template_from_picture(whole_picture(portrait("owner", "enrolment")))
    assert isinstance(made, Template)
    return made.embedding


def frame_line(observation: Observation, pixels: Pixels, template: bytes) -> Line:
    """An observation without what a clock measured and without anything that a face could be recognised by."""
    return rounded({
        "frame": observation.frame, "at_s": observation.taken_s, "pixels": _hash(np.ascontiguousarray(pixels).tobytes()),
        "faces": [_face_line(face, template) for face in observation.faces],
        "persons": [msgspec.to_builtins(person) for person in observation.persons],
    })  # fmt: skip


def _face_line(face: FaceSeen, template: bytes) -> Line:
    line: Line = msgspec.to_builtins(face)
    line["embedding"] = _hash(face.embedding) if face.embedding else None
    line["likeness"] = cosine(template, face.embedding) if face.embedding else None
    return line


def decisions(episode: Episode, seen: list[Observation], template: bytes) -> Line:
    """What the door answers to the owner's fob, and after how long, under each policy on liveness."""
    answers = {}
    for liveness in LIVENESS:
        answer = _answer(episode.read_s, seen, template, liveness)
        answers[liveness] = {"granted": answer.granted, "reasons": [reason.value for reason in answer.reasons],
                             "waited_s": round(answer.waited_s, 3)}  # fmt: skip
    return answers


def _answer(read_s: float, seen: list[Observation], template: bytes, liveness: Any) -> Decision:
    """The door's turns after a read, as its loop takes them: at each new observation."""
    policy = _policy(liveness)
    read = CredentialRead(reader="front", format="H10301", facility=1, card=1, bits="", read_s=read_s)
    holder = Cardholder(id="owner", profiles=("staff",), templates=(template,), embedder_id=policy.face.embedder_id)
    case = Case(read=read, access=Access(refused=None, cardholder=holder, profile="staff", schedule="always"), started_s=read_s)
    for observation in seen:
        now_s = observation.taken_s + 0.02
        if now_s >= read_s:
            answer = decide(case, view_at(observation, now_s), DoorMode.LOCKED, policy, now_s)
            if isinstance(answer, Decision):
                return answer
            case = carried(case, answer)
    raise AssertionError(f"no answer under {liveness} before the episode ended: it must go on for longer than the policy's waits")


def _policy(liveness: Any) -> DecisionPolicy:
    manifest = load_manifest()
    face = FaceRules(
        threshold=manifest.threshold_at_fmr(FMR), fmr=FMR, embedder_id=manifest.embedder_id, min_face_px=40, min_quality=0.2
    )
    return DecisionPolicy(face=face, face_wait_s=1.0, mismatch_wait_s=0.8, vision_wait_s=0.5, without_vision="deny",
                          without_template="deny", pulse_s=3, extended_pulse_s=10, liveness=liveness)  # fmt: skip


def rounded(value: Any) -> Any:
    """Numbers to four decimal places."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
