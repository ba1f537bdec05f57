"""What was seen of parts says what a joined tensor holds."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgekit.quantization import watching
from edgekit.quantization.derived import derived
from edgekit.quantization.watching import VALUES, observe
from tests.graphs import Graph, floats, integers, renamed
from tests.quantization.small import inferred, smooth_images
from tests.quantization.test_watching import METHODS, all_values


def joining() -> onnx.ModelProto:
    """12 channels and 4 in a Concat, turned, flattened, and joined again with one of the parts."""
    g = Graph()
    wide = g.node("Relu", [g.node("Conv", ["x", g.weight("a", (12, 3, 3, 3), 1.0)], "wide")], "positive")
    narrow = g.node("Conv", ["x", g.weight("b", (4, 3, 3, 3), 5.0)], "narrow")
    joined = g.node("Concat", [wide, narrow], "joined", axis=1)
    turned = g.node("Transpose", [joined], "turned", perm=[0, 2, 3, 1])
    again = g.node(
        "Concat", [turned, g.node("Transpose", [wide], "turned_wide", perm=[0, 2, 3, 1])], "again", axis=3
    )
    renamed(g, g.node("Flatten", [again], "flat"), "y")
    return inferred(g.model([floats("x", 1, 3, 10, 10)], [floats("y", 1, 64 * 28)]))


TENSORS = ["positive_out", "narrow_out", "joined_out", "turned_out", "turned_wide_out", "again_out", "y"]


def test_ranges_of_joined_tensors_are_around_those_of_their_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FEWEST_VALUES", VALUES - 1)  # all that there are
    model, data = joining(), smooth_images(12, size=10)
    found = observe(model, TENSORS, data, METHODS, threads=1)
    values = all_values(model, TENSORS, data)
    for name in TENSORS:
        every = np.concatenate([sample[name].reshape(-1) for sample in values])
        low, high = found["minmax"][name]
        assert low == pytest.approx(min(0.0, every.min()), rel=1e-5)
        assert high == pytest.approx(max(0.0, every.max()), rel=1e-5)
    for ranges in found.values():
        wide, narrow = ranges["positive_out"], ranges["narrow_out"]
        around = (min(wide[0], narrow[0]), max(wide[1], narrow[1]))
        assert ranges["turned_wide_out"] == wide != around
        assert [ranges[name] for name in ("joined_out", "turned_out", "again_out", "y")] == [around] * 4


def test_what_is_known_of_parts() -> None:
    graph = joining().graph
    made = derived(graph, TENSORS, ())
    assert set(made.sources) == {"joined_out", "turned_out", "turned_wide_out", "again_out", "y"}
    # of other zero points other ranges are the best
    assert "turned_wide_out" not in derived(graph, TENSORS, ["turned_wide_out"]).sources


def test_what_has_an_unwatched_part_is_looked_at_itself() -> None:
    graph = joining().graph
    assert not derived(graph, ["narrow_out", "joined_out"], ()).sources


def test_with_an_attention_mask_every_tensor_is_looked_at() -> None:
    """In another shape it is not known which values are padding: all of them count there."""
    g = Graph()
    wide = g.node("Mul", ["x", g.constant("one", np.float32(1))], "wide")
    masked = g.node("Cast", ["attention_mask"], "mask", to=onnx.TensorProto.FLOAT)
    total = g.node("Add", [wide, masked], "total")
    renamed(g, g.node("Reshape", [total, g.constant("sides", np.array([4, 1]))], "column"), "y")
    inputs = [floats("x", 1, 4), integers("attention_mask", 1, 4)]
    model = inferred(g.model(inputs, [floats("y", 4, 1)]))
    sample = {"x": np.array([[1, 2, 3, 9]], np.float32), "attention_mask": np.array([[1, 1, 1, 0]])}
    found = observe(model, ["total_out", "y"], [sample], ["minmax"], threads=1)["minmax"]
    assert (found["total_out"][1], found["y"][1]) == (4.0, 9.0)
