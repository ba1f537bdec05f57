"""Run a model piece by piece over many samples, keeping only the tensors that are still needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper

from edgekit.quantization.grading import inference_session

Array = np.ndarray[Any, Any]


class Segments:
    """A model between its inputs and its outputs: what it has computed so far, of every sample.

    Pairs of QuantizeLinear and DequantizeLinear are cut in the middle, so that what waits takes a byte an element.
    """

    def __init__(self, model: onnx.ModelProto, samples: Iterable[Mapping[str, Array]], threads: int) -> None:
        self._model, self._threads = model, threads
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.alive: list[dict[str, Array]] = [dict(sample) for sample in samples]
        """Of each sample the tensors that a node still to be run needs, by name."""
        self._done: set[int] = set()
        self._nodes: Sequence[onnx.NodeProto] = list(model.graph.node)
        self._makers = {name: place for place, node in enumerate(self._nodes) for name in node.output}
        self._users: dict[str, set[int]] = {}
        for place, node in enumerate(self._nodes):
            for name in node.input:
                self._users.setdefault(name, set()).add(place)

    def advance(self, tensor: str) -> None:
        """Compute ``tensor``, or where it comes out of a DequantizeLinear, what goes in."""
        wanted = self.stored(tensor)
        if wanted not in self.alive[0]:
            self._run(self._needed(wanted), wanted)

    def values(self, tensor: str, sample: int) -> Array:
        """``tensor`` of a sample, after :meth:`advance`."""
        stored = self.stored(tensor)
        values = self.alive[sample][stored]
        if stored == tensor:
            return values
        scale, zero = self.scale(tensor)
        return (values.astype(np.float32) - np.float32(zero)) * np.float32(scale)

    def stored(self, tensor: str) -> str:
        """The tensor that is kept for ``tensor``."""
        maker = self._maker(tensor)
        if maker is not None and maker.op_type == "DequantizeLinear" and maker.input[0] not in self.constants:
            return str(maker.input[0])
        return tensor

    def scale(self, tensor: str) -> tuple[float, int]:
        """Scale and zero point of a dequantized activation."""
        maker = self._maker(tensor)
        assert maker is not None
        scale, zero = (onnx.numpy_helper.to_array(self.constants[name]) for name in maker.input[1:3])
        return float(scale), int(zero)

    def _maker(self, tensor: str) -> onnx.NodeProto | None:
        return self._nodes[self._makers[tensor]] if tensor in self._makers else None

    def _needed(self, tensor: str) -> list[int]:
        """Nodes between what is alive and ``tensor``, in order."""
        found: set[int] = set()
        waiting = [tensor]
        while waiting:
            name = waiting.pop()
            if name in self.alive[0] or name not in self._makers:
                continue
            place = self._makers[name]
            if place not in found:
                found.add(place)
                waiting += self._nodes[place].input
        return sorted(found)

    def _run(self, places: Sequence[int], wanted: str) -> None:
        nodes = [self._nodes[place] for place in places]
        # dequantizing again costs less than keeping floats
        self._done |= {place for place in places if not self._dequantizes(place)}
        made = {name for node in nodes for name in node.output}
        kept = {
            name for place in places if not self._dequantizes(place) for name in self._nodes[place].output
        }
        taken = {name for node in nodes for name in node.input} - made - {""}
        inputs = sorted(taken & self.alive[0].keys())
        outputs = sorted(name for name in kept if name == wanted or self._is_needed(name))
        constants = [self.constants[name] for name in sorted(taken & self.constants.keys())]
        session = self._session(nodes, inputs, outputs, constants)
        spent = [name for name in inputs if not self._is_needed(name)]
        for alive in self.alive:
            values = session.run(outputs, {name: alive[name] for name in inputs})
            for name in spent:
                del alive[name]
            alive.update(zip(outputs, values, strict=True))

    def _is_needed(self, tensor: str) -> bool:
        """A node still to be run takes ``tensor``, as it is or dequantized."""
        return any(
            self._is_needed(self._nodes[user].output[0])
            if self._dequantizes(user)
            else user not in self._done
            for user in self._users.get(tensor, ())
        )

    def _dequantizes(self, place: int) -> bool:
        return self._nodes[place].op_type == "DequantizeLinear"

    def _session(
        self,
        nodes: Sequence[onnx.NodeProto],
        inputs: Sequence[str],
        outputs: Sequence[str],
        constants: Sequence[onnx.TensorProto],
    ) -> ort.InferenceSession:
        first = self.alive[0]
        graph = helper.make_graph(
            nodes,
            "segment",
            [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(first[name].dtype), first[name].shape
                )
                for name in inputs
            ],
            [onnx.ValueInfoProto(name=name) for name in outputs],
            constants,
        )
        model = helper.make_model(
            graph, opset_imports=self._model.opset_import, ir_version=self._model.ir_version
        )
        return inference_session(model, self._threads)
