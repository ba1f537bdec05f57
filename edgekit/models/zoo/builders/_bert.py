"""A BERT encoder as an ONNX graph, from weights with Hugging Face's names.

Written the way torch exports it, so that runtimes recognise attention, GELU and layer normalization.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.models.zoo.builders._graph import Array, Graph

MASKED = -10000.0  # added where attention is masked; also float16 can hold it


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """The sizes of config.json that the graph needs."""

    layers: int
    heads: int
    hidden: int
    norm_epsilon: float


@dataclass(frozen=True, slots=True)
class Bert:
    """Adds the encoder to ``graph``; weights keep their names."""

    graph: Graph
    weights: Mapping[str, Array]
    shape: BertShape

    def encode(self, ids: str, mask: str, types: str) -> str:
        """Hidden states [batch, sequence, hidden] of int64 ids, mask and types [batch, sequence]."""
        x = self._embed(ids, types)
        bias = self._mask_bias(mask)
        for index in range(self.shape.layers):
            x = self._layer(f"encoder.layer.{index}", x, bias)
        return x

    def _embed(self, ids: str, types: str) -> str:
        node, constant = self.graph.node, self._constant
        table = {
            key: self._weight(f"embeddings.{key}_embeddings.weight")
            for key in ("word", "position", "token_type")
        }
        words = node("Gather", "embeddings.word", [table["word"], ids])
        kinds = node("Gather", "embeddings.token_type", [table["token_type"], types])
        length = node(
            "Gather", "embeddings.length", [node("Shape", "embeddings.shape", [ids]), constant("one", 1)]
        )
        end = node("Unsqueeze", "embeddings.end", [length, constant("axis0", [0])])
        places = [table["position"], constant("axis0", [0]), end, constant("axis0", [0])]
        x = node("Add", "embeddings.add_type", [words, kinds])
        x = node("Add", "embeddings.add_position", [x, node("Slice", "embeddings.position", places)])
        return self._norm("embeddings.LayerNorm", x)

    def _mask_bias(self, mask: str) -> str:
        """0 where attended, MASKED where not, [batch, 1, 1, sequence]."""
        node = self.graph.node
        wide = node("Unsqueeze", "mask.wide", [mask, self._constant("axes12", [1, 2])])
        wide = node("Cast", "mask.float", [wide], to=1)
        absent = node("Sub", "mask.absent", [self._number("one.f", 1.0), wide])
        return node("Mul", "mask.bias", [absent, self._number("masked", MASKED)])

    def _layer(self, name: str, x: str, bias: str) -> str:
        attended = self._linear(
            f"{name}.attention.output.dense", self._attend(f"{name}.attention.self", x, bias)
        )
        x = self._norm(
            f"{name}.attention.output.LayerNorm",
            self.graph.node("Add", f"{name}.attention.add", [attended, x]),
        )
        wide = self._gelu(f"{name}.intermediate", self._linear(f"{name}.intermediate.dense", x))
        y = self._linear(f"{name}.output.dense", wide)
        return self._norm(f"{name}.output.LayerNorm", self.graph.node("Add", f"{name}.add", [y, x]))

    def _attend(self, name: str, x: str, bias: str) -> str:
        node = self.graph.node
        query = self._heads(f"{name}.query", x, [0, 2, 1, 3])
        key = self._heads(f"{name}.key", x, [0, 2, 3, 1])
        value = self._heads(f"{name}.value", x, [0, 2, 1, 3])
        scores = node("MatMul", f"{name}.scores", [query, key])
        root = self._number("head.root", float(np.sqrt(self.shape.hidden // self.shape.heads)))
        scores = node("Div", f"{name}.scaled", [scores, root])
        shares = node("Softmax", f"{name}.softmax", [node("Add", f"{name}.masked", [scores, bias])], axis=-1)
        mixed = node("MatMul", f"{name}.mixed", [shares, value])
        mixed = node("Transpose", f"{name}.transpose", [mixed], perm=[0, 2, 1, 3])
        return node("Reshape", f"{name}.joined", [mixed, self._constant("joined", [0, 0, self.shape.hidden])])

    def _heads(self, name: str, x: str, order: list[int]) -> str:
        """Project and split: [batch, heads, sequence, width] in the given order of axes."""
        split = self._constant("split", [0, 0, self.shape.heads, self.shape.hidden // self.shape.heads])
        y = self.graph.node("Reshape", f"{name}.split", [self._linear(name, x), split])
        return self.graph.node("Transpose", f"{name}.transpose", [y], perm=order)

    def _linear(self, name: str, x: str) -> str:
        weight = self.graph.weight(f"{name}.weight", self.weights[f"{name}.weight"].T)
        y = self.graph.node("MatMul", name, [x, weight])
        return self.graph.node("Add", f"{name}.add_bias", [y, self._weight(f"{name}.bias")])

    def _gelu(self, name: str, x: str) -> str:
        node, number = self.graph.node, self._number
        erf = node(
            "Erf", f"{name}.erf", [node("Div", f"{name}.div", [x, number("root2", float(np.sqrt(2.0)))])]
        )
        y = node("Mul", f"{name}.mul", [x, node("Add", f"{name}.add", [erf, number("one.f", 1.0)])])
        return node("Mul", f"{name}.gelu", [y, number("half", 0.5)])

    def _norm(self, name: str, x: str) -> str:
        inputs = [x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias")]
        return self.graph.node("LayerNormalization", name, inputs, axis=-1, epsilon=self.shape.norm_epsilon)

    def _weight(self, name: str) -> str:
        return self.graph.weight(name, self.weights[name])

    def _constant(self, name: str, value: int | list[int]) -> str:
        return self.graph.weight(name, np.array(value, np.int64))

    def _number(self, name: str, value: float) -> str:
        return self.graph.weight(name, np.array(value, np.float32))
