"""Reads a TensorFlow.js graph model (model.json beside one weight file) into a small graph of plain values.

Format: the `modelTopology` of a graph model is TensorFlow's GraphDef as JSON, `weightsManifest` lists name, shape
and dtype of each tensor in the order in which the weight file holds them, little-endian and without padding.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.errors import ModelError

Array = NDArray[Any]


@dataclass(frozen=True)
class Node:
    """One operation. `inputs` name nodes or weights; `activation` is what is fused behind it ('' or 'Relu')."""

    name: str
    op: str
    inputs: tuple[str, ...]
    strides: tuple[int, int] = (1, 1)
    window: tuple[int, int] = (1, 1)
    padding: str = "VALID"
    activation: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which every input comes before its use, and the constants they name."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Array] = field(repr=False)

    def by_name(self) -> dict[str, Node]:
        return {node.name: node for node in self.nodes}

    def with_nodes(self, nodes: Iterable[Node], **weights: Array) -> Graph:
        return replace(self, nodes=tuple(nodes), weights={**self.weights, **weights})

    def map_nodes(self, change: Callable[[Node], Node]) -> Graph:
        return replace(self, nodes=tuple(change(node) for node in self.nodes))


def read_graph(model_json: Path, outputs: Iterable[str]) -> Graph:
    """The part of the model that `outputs` (node names) depend on; inputs are nodes with the op `Placeholder`."""
    document = json.loads(model_json.read_bytes())
    weights = read_weights(document["weightsManifest"], model_json)
    nodes = [_node(raw) for raw in document["modelTopology"]["node"] if raw["op"] != "Const"]
    return prune(Graph(tuple(nodes), weights), outputs)


def prune(graph: Graph, outputs: Iterable[str]) -> Graph:
    """Keeps what the outputs depend on, sorted so that inputs come first."""
    known, ordered = graph.by_name(), dict[str, Node]()

    def visit(name: str) -> None:
        if name in graph.weights or name in ordered:
            return
        if name not in known:
            raise ModelError(f"graph: node {name!r} is named as an input or output and is not in the model")
        for source in known[name].inputs:
            visit(source)
        ordered[name] = known[name]

    for output in outputs:
        visit(output)
    used = {name for node in ordered.values() for name in node.inputs}
    return Graph(tuple(ordered.values()), {k: v for k, v in graph.weights.items() if k in used})


def read_weights(manifest: list[dict[str, Any]], model_json: Path) -> dict[str, Array]:
    """Every constant by name; the weight files lie beside `model_json`. ModelError when lengths do not agree."""
    weights: dict[str, Array] = {}
    for group in manifest:
        data = b"".join((model_json.parent / part).read_bytes() for part in group["paths"])
        offset = 0
        for entry in group["weights"]:
            value, offset = _tensor(entry, data, offset)
            weights[entry["name"]] = value
        if offset != len(data):
            raise ModelError(f"{model_json}: the weight file has {len(data)} bytes, the manifest explains {offset}")
    return weights


def _tensor(entry: dict[str, Any], data: bytes, offset: int) -> tuple[Array, int]:
    packing = entry.get("quantization", {})
    stored = packing.get("dtype", entry["dtype"])
    if stored not in ("float32", "float16", "int32", "uint8"):
        raise ModelError(f"weight {entry['name']!r}: type {stored!r} is not one of float32, float16, int32, uint8")
    count = int(np.prod(entry["shape"]))
    kind = np.dtype(stored).newbyteorder("<")
    flat = np.frombuffer(data, kind, count, offset)
    if stored == "uint8":
        flat = flat * packing["scale"] + packing["min"]
    return flat.astype(entry["dtype"]).reshape(entry["shape"]), offset + count * kind.itemsize


def _node(raw: dict[str, Any]) -> Node:
    attributes = raw.get("attr", {})
    op, fused = raw["op"], _strings(attributes.get("fused_ops"))
    return Node(
        name=raw["name"],
        op=_PLAIN_OP.get(op, op),
        inputs=tuple(name.split(":")[0] for name in raw.get("input", []) if not name.startswith("^")),
        strides=_pair(attributes.get("strides")),
        window=_pair(attributes.get("ksize")),
        padding=base64.b64decode(attributes.get("padding", {}).get("s", "VkFMSUQ=")).decode(),
        activation="".join(name for name in fused if name != "BiasAdd"),
    )


# tfjs writes a convolution with its bias and activation as one node; here every convolution may carry both.
_PLAIN_OP = {
    "_FusedConv2D": "Conv2D",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
    "AddV2": "Add",
}


def _strings(attribute: dict[str, Any] | None) -> list[str]:
    return [base64.b64decode(text).decode() for text in (attribute or {}).get("list", {}).get("s", [])]


def _pair(attribute: dict[str, Any] | None) -> tuple[int, int]:
    values = (attribute or {}).get("list", {}).get("i", [1, 1, 1, 1])
    return int(values[1]), int(values[2])
