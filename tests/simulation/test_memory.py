"""Predicted peak memory: each runtime's rule on graphs small enough to reckon by hand, and the error on real peaks."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks.memory_probes import PROBES
from edgekit.devices import LocalDevice
from edgekit.errors import ModelError
from edgekit.models import load_model, zoo
from edgekit.profiling.measure import memory_by_phase
from edgekit.simulation.memory import CONSTANTS, holdings_of, predict_memory
from edgekit.simulation.memory_arenas import greedy_by_size_bytes, onnxruntime_bytes
from edgekit.simulation.memory_buffers import Buffer, Move, buffers_of
from edgekit.simulation.memory_fitting import (
    PROBE,
    Judged,
    by_series,
    elders_of,
    fit_memory,
    judge,
    read_peaks,
)
from edgekit.simulation.memory_rules import litert_bytes, onnxruntime_arena_bytes, openvino_arena_bytes
from edgekit.simulation.memory_terms import FIRST, NAMES, PHASES, MemoryRuntime, memory_terms
from edgekit.simulation.memory_writing import constants_text, interval_factor
from edgekit.vocabulary import Arch, Precision
from tests.models.building import model, node, saved, value
from tests.runner.bundles import conv_net, litert_bundle, onnx_bundle, openvino_bundle

BAR = 0.15
"""Largest error of a peak, as promised."""
MB = 1 << 20


# --- placing ---------------------------------------------------------------------------------------------


def test_what_does_not_live_together_shares_its_place() -> None:
    chain = [Buffer(100 * 64, step, step + 1) for step in range(6)]
    assert greedy_by_size_bytes(chain) == 2 * 100 * 64
    assert greedy_by_size_bytes([*chain, Buffer(64, 0, 9)]) == 2 * 100 * 64 + 64


def test_small_buffers_fill_gaps_between_large_ones() -> None:
    large = [Buffer(640, 0, 1), Buffer(640, 1, 3), Buffer(64, 2, 3)]
    assert greedy_by_size_bytes(large) == 1280


def test_buffers_are_aligned() -> None:
    assert greedy_by_size_bytes([Buffer(1, 0, 1), Buffer(1, 0, 1)]) == 128


def test_onnxruntime_touches_what_it_asked_for_of_a_region_that_doubles() -> None:
    """3 MB need a region of 4; the second inference's block of 3 MB finds that one free."""
    assert onnxruntime_bytes([Buffer(3 * MB, 0, 1)]) == (3 * MB, 3 * MB)


def test_the_second_inference_takes_one_block_where_regions_are_too_small() -> None:
    """Two buffers of 3 MB lie in two regions of 4; one block of 6 needs a third, of 8."""
    first, steady = onnxruntime_bytes([Buffer(3 * MB, 0, 1), Buffer(3 * MB, 0, 1)])
    assert (first, steady) == (6 * MB, 12 * MB)


def test_scratch_is_no_part_of_the_block() -> None:
    first, steady = onnxruntime_bytes([Buffer(3 * MB, 0, 1)], [Buffer(2 * MB, 1, 1)])
    assert first == 5 * MB
    assert steady >= first


# --- buffers ---------------------------------------------------------------------------------------------


def test_views_and_results_in_place_need_no_buffer() -> None:
    moves = [
        Move(reads=("x",), writes=("a",)),
        Move(reads=("a",), writes=("b",), view=True),
        Move(reads=("b",), writes=("c",), in_place=True),
    ]
    sizes = dict.fromkeys("xabc", 8)
    assert buffers_of(moves, sizes, kept=["c"]) == (Buffer(8, 0, 3),)
    assert buffers_of(moves, sizes, kept=["c"], in_place=False) == (Buffer(8, 0, 2), Buffer(8, 2, 3))


def test_nothing_is_overwritten_that_is_read_later() -> None:
    moves = [
        Move(reads=("x",), writes=("a",)),
        Move(reads=("a",), writes=("b",), in_place=True),
        Move(reads=("a", "b"), writes=("c",), in_place=True),
    ]
    assert len(buffers_of(moves, dict.fromkeys("xabc", 8), kept=["c"])) == 2


def test_a_quantization_fused_into_its_maker_leaves_no_floats() -> None:
    moves = [Move(reads=("x",), writes=("floats",)), Move(reads=("floats",), writes=("bytes",), view=True)]
    (buffer,) = buffers_of(moves, {"x": 32, "floats": 32, "bytes": 8}, kept=["bytes"])
    assert buffer.size_bytes == 8


# --- runtimes --------------------------------------------------------------------------------------------


def chain(tmp_path: Path, *steps: onnx.NodeProto, channels: int = 16) -> Path:
    """Steps from x to y of 16 x 16 x 16 floats (16 KiB each); convolutions read the weights w."""
    weights = np.zeros((channels, channels, 3, 3), np.float32)
    shape = (1, channels, 16, 16)
    graph = helper.make_graph(
        list(steps),
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(weights, "w"), numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    path = tmp_path / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def conv(source: str, made: str) -> onnx.NodeProto:
    return helper.make_node("Conv", [source, "w"], [made], pads=[1] * 4)


def test_holdings_of_a_chain(tmp_path: Path) -> None:
    held = holdings_of(load_model(chain(tmp_path, conv("x", "a"), conv("a", "y"))), "fp32")
    assert held.weights == {"windows": 16 * 16 * 9}
    assert held.largest == 16 * 16 * 9
    assert held.layers == 2
    assert held.windows == 2 * 16 * 16 * 9
    assert held.edges_bytes == 2 * 16 * 1024


def test_integers_take_a_quarter(tmp_path: Path) -> None:
    loaded = load_model(chain(tmp_path, conv("x", "a"), conv("a", "y")))
    floats, integers = (openvino_arena_bytes(holdings_of(loaded, name)) for name in ("fp32", "int8"))
    assert floats == 4 * integers


def test_onnxruntime_copies_between_its_layout_and_the_plain_one(tmp_path: Path) -> None:
    """x is the caller's: a convolution reads a copy of it in blocks, and two buffers take turns."""
    held = holdings_of(load_model(chain(tmp_path, conv("x", "a"), conv("a", "b"), conv("b", "y"))), "fp32")
    assert onnxruntime_arena_bytes(held) == 2 * 16 * 1024


def test_onnxruntime_needs_three_buffers_for_an_activation_written_out(tmp_path: Path) -> None:
    """a * clip(a + 1): the plain copy of a, the sum, and the clipped sum, which has a kernel and a buffer of its own."""
    steps = [
        conv("x", "a"),
        helper.make_node("Add", ["a", "one"], ["sum"]),
        helper.make_node("Clip", ["sum"], ["clipped"]),
        helper.make_node("Mul", ["a", "clipped"], ["y"]),
    ]
    held = holdings_of(load_model(chain(tmp_path, *steps)), "fp32")
    assert onnxruntime_arena_bytes(held) == 3 * 16 * 1024


def test_onnxruntime_on_arm_has_no_layout_of_its_own(tmp_path: Path) -> None:
    """In blocks x is copied, and the result is copied back; without, the result is all there is."""
    held = holdings_of(load_model(chain(tmp_path, conv("x", "y"))), "fp32")
    amounts = {
        arch: memory_terms(held, "onnxruntime", arch)[NAMES.index("arena")] for arch in ("x86_64", "aarch64")
    }
    assert amounts == {"x86_64": 2 * 16 * 1024, "aarch64": 16 * 1024}


def test_litert_keeps_what_goes_between_parts_in_its_own_arena(tmp_path: Path) -> None:
    """Where XNNPACK takes all, TFLite's arena holds input and output; an operator apart makes two parts of it."""
    whole = holdings_of(load_model(chain(tmp_path, conv("x", "a"), conv("a", "b"), conv("b", "y"))), "fp32")
    found = litert_bytes(whole)
    assert (found.arena, found.workspace) == (2 * 16 * 1024, 2 * 16 * 1024)
    erf = helper.make_node("Erf", ["a"], ["b"])
    parts = litert_bytes(
        holdings_of(load_model(chain(tmp_path, conv("x", "a"), erf, conv("b", "y"))), "fp32")
    )
    assert (parts.arena, parts.workspace) == (2 * 16 * 1024, 0)


def test_what_stays_in_float_has_conversions_around_it(tmp_path: Path) -> None:
    """A hard swish between convolutions overwrites the floats that it reads, 16 KiB beside the 4 of the integers that
    they are made of; without, two buffers of integers take turns. Input and output are floats either way.
    """
    swish = helper.make_node("HardSwish", ["a"], ["b"])
    mixed = holdings_of(load_model(chain(tmp_path, conv("x", "a"), swish, conv("b", "y"))), "int8")
    found = litert_bytes(mixed)
    assert (found.arena, found.workspace) == (2 * 16 * 1024, 16 * 1024 + 4 * 1024)
    whole = holdings_of(load_model(chain(tmp_path, conv("x", "a"), conv("a", "b"), conv("b", "y"))), "int8")
    found = litert_bytes(whole)
    assert (found.arena, found.workspace) == (2 * 16 * 1024, 2 * 4 * 1024)


@pytest.mark.parametrize(("mode", "in_float"), [("nearest", False), ("linear", True)])
def test_onnxruntime_interpolates_in_floats(tmp_path: Path, *, mode: str, in_float: bool) -> None:
    """As optimized graphs of onnxruntime 1.32 show."""
    scales = numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "scales")
    resize = helper.make_node("Resize", ["a", "", "scales"], ["b"], mode=mode)
    steps = [
        conv("x", "a"),
        resize,
        helper.make_node("Conv", ["b", "w"], ["y"], pads=[1] * 4, strides=[2, 2]),
    ]
    path = chain(tmp_path, *steps)
    proto = onnx.load(path)
    proto.graph.initializer.append(scales)
    onnx.save(proto, path)
    (found,) = (move for move in holdings_of(load_model(path), "int8").moves if move.writes == ("b",))
    assert found.only_floats is in_float


def test_onnxruntime_sums_three_channels_apart(tmp_path: Path) -> None:
    """Activations of 3 x 256 bytes, or 4 x 256. One block for the input's integers, the result's and the result's floats
    (3 x 256 x 6, 4 x 256 x 6); above it 9 addresses for each of 256 places, and for three channels the sums.
    """
    found = {
        channels: onnxruntime_arena_bytes(
            holdings_of(load_model(chain(tmp_path, conv("x", "y"), channels=channels)), "int8")
        )
        for channels in (3, 4)
    }
    assert found == {3: 3 * 256 * 6 + 3 * 256 * 4 + 8 * 9 * 256, 4: 4 * 256 * 6 + 8 * 9 * 256}


def test_a_quantized_onnx_file_says_what_is_in_float(tmp_path: Path) -> None:
    """A pooling between quantizations is in integers, the same without one behind it in floats."""
    steps = [
        node("QuantizeLinear", "x s z", "q0"), node("DequantizeLinear", "q0 s z", "d0"),
        node("MaxPool", "d0", "a", kernel_shape=[1, 1]),
        node("QuantizeLinear", "a s z", "q1"), node("DequantizeLinear", "q1 s z", "d1"),
        node("MaxPool", "d1", "y", kernel_shape=[1, 1]),
    ]  # fmt: skip
    numbers = [
        numpy_helper.from_array(np.array(1, np.float32), "s"),
        numpy_helper.from_array(np.array(0, np.int8), "z"),
    ]
    graph = helper.make_graph(steps, "qdq", [value("x", 1, 2, 8, 8)], [value("y", 1, 2, 8, 8)], numbers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    moves = holdings_of(load_model(saved(tmp_path, proto)), "int8").moves
    assert [move.in_float for move in moves if not move.view] == [False, True]


def test_a_quantized_tflite_file_says_what_is_in_float(tmp_path: Path) -> None:
    """Eight bytes in and out, floats between."""
    loaded = load_model(litert_bundle(tmp_path / "bundle", int8=True) / "model.tflite")
    held = holdings_of(replace(loaded, quantization="static int8"), "int8")
    sizes = [held.sizes_bytes[name] for name in (*held.inputs, held.moves[0].writes[0], *held.outputs)]
    assert sizes == [8, 32, 8]


def test_weights_that_are_unpacked_from_bytes_stay_bytes_in_openvino_only(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(np.zeros((512, 512), np.int8), "q")
    scale = numpy_helper.from_array(np.ones(1, np.float32), "scale")
    steps = [
        node("Cast", "q", "f", to=TensorProto.FLOAT),
        node("Mul", "f scale", "w"),
        node("MatMul", "x w", "y"),
    ]
    graph = helper.make_graph(steps, "narrow", [value("x", 1, 512)], [value("y", 1, 512)], [weights, scale])
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    path = saved(tmp_path, proto)
    held = holdings_of(load_model(path), "fp32")
    assert held.weights["products"] == 512 * 512
    assert held.narrow["products"] == 512 * 512


def test_openvino_computes_floats_of_a_table_whose_rows_no_product_reads(tmp_path: Path) -> None:
    """In 8 bits it is read where it lies only when integers are what comes next."""
    table = numpy_helper.from_array(np.zeros((1000, 8), np.float32), "table")
    matrix = numpy_helper.from_array(np.zeros((8, 8), np.float32), "matrix")
    rows = value("x", 1, 4, dtype=TensorProto.INT64)
    for reader, kept in ((node("MatMul", "rows matrix", "y"), 0), (node("Relu", "rows", "y"), 8000)):
        steps = [node("Gather", "table x", "rows"), reader]
        graph = helper.make_graph(steps, "table", [rows], [value("y", 1, 4, 8)], [table, matrix])
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
        assert holdings_of(load_model(saved(tmp_path, proto)), "int8").tables == kept


def test_free_shapes_end_in_one_line(tmp_path: Path) -> None:
    proto = model([node("Relu", "x", "y")], [value("x", 1, "length")], [value("y", 1, "length")])
    path = saved(tmp_path, proto)
    with pytest.raises(ModelError, match="--shape") as error:
        predict_memory(load_model(path), "onnxruntime", "fp32")
    assert "\n" not in str(error.value)


def test_what_no_rule_covers_is_not_predicted(tmp_path: Path) -> None:
    loaded = load_model(chain(tmp_path, conv("x", "y")))
    assert predict_memory(loaded, "ncnn", "fp32") is None
    assert predict_memory(loaded, "onnxruntime", "int4-weights") is None


def test_each_architecture_has_constants_of_its_own(tmp_path: Path) -> None:
    loaded = load_model(chain(tmp_path, conv("x", "y")))
    x86, arm = (predict_memory(loaded, "litert", "fp32", arch) for arch in get_args(Arch)[:2])
    assert x86
    assert arm
    assert (x86.measured_on, arm.measured_on) == ("x86_64", "aarch64, emulated")
    assert x86.base != arm.base


def test_what_was_not_measured_on_arm_is_predicted_as_on_x86(tmp_path: Path) -> None:
    """OpenVINO's int8 does not run on a Cortex-A72."""
    loaded = load_model(chain(tmp_path, conv("x", "y")))
    x86, arm = (predict_memory(loaded, "openvino", "int8", arch) for arch in get_args(Arch)[:2])
    assert arm
    assert arm == x86
    assert arm.measured_on == "x86_64"


# --- against real peaks ----------------------------------------------------------------------------------


def series() -> dict[tuple[str, str, str], tuple[Judged, ...]]:
    every = read_peaks()
    return {key: judge(peaks, elders_of(peaks, every)) for key, peaks in by_series(every).items()}


def test_constants_are_those_of_the_recorded_peaks() -> None:
    assert CONSTANTS.read_text(encoding="utf-8") == constants_text(read_peaks())


def test_what_was_not_measured_is_held_to_the_other_architecture() -> None:
    """A base of 4 MB less is all that a graph of hardly any weights can tell."""
    elders = by_series(read_peaks())["litert", "fp32", "x86_64"]
    (small,) = [peak for peak in elders if peak.model == "nothing"]
    of_elders = fit_memory(elders)
    less = {phase: round(float(of_elders[phase] @ small.terms)) - 4_000_000 for phase in PHASES}
    of_both = fit_memory([replace(small, arch="aarch64", measured=less)], elders)
    known, found = (dict(zip(NAMES, fit["run"], strict=True)) for fit in (of_elders, of_both))
    assert found["base_mb"] - known["base_mb"] == pytest.approx(-4, abs=0.1)
    assert found["products"] == pytest.approx(known["products"], rel=0.01)
    assert found["windows"] == pytest.approx(known["windows"], rel=0.01)


@pytest.mark.parametrize("name", ["pyramid-small", "residual-many", "linear"])
def test_recorded_terms_are_what_the_rules_say_today(tmp_path: Path, name: str) -> None:
    """A changed rule needs ``python benchmarks/memory.py --fit``."""
    loaded = load_model(saved(tmp_path, PROBES[name]()))
    recorded = [peak for peak in read_peaks() if peak.family == PROBE and peak.model == name]
    assert len(recorded) >= 5
    for peak in recorded:
        precision = next(item for item in get_args(Precision) if item == peak.precision)
        runtime = next(item for item in get_args(MemoryRuntime) if item == peak.runtime)
        found = memory_terms(holdings_of(loaded, precision), runtime, peak.arch)
        assert found == pytest.approx(peak.terms, abs=0.5)


def test_every_zoo_model_was_measured_on_every_runtime() -> None:
    """A new one needs ``python benchmarks/memory.py --fit --models ID``."""
    measured = {
        (peak.model, peak.runtime) for peak in read_peaks() if peak.arch == FIRST and peak.family != PROBE
    }
    assert measured == set(product(zoo.entries(), get_args(MemoryRuntime)))


def test_every_zoo_model_is_predicted_within_the_bar_without_its_family() -> None:
    found = series()
    runtimes = {"onnxruntime", "openvino", "litert"}
    assert {(runtime, arch) for runtime, _, arch in found} == set(product(runtimes, ("x86_64", "aarch64")))
    missed = [
        (*item.peak.key, item.error)
        for entries in found.values()
        for item in entries
        if abs(item.error) > BAR
    ]
    assert not missed
    assert np.median([abs(item.error) for entries in found.values() for item in entries]) < 0.05


def test_intervals_hold_four_of_five() -> None:
    """Each family's peaks against the interval that all others make."""
    inside = []
    for entries in series().values():
        for family in {item.peak.family for item in entries}:
            others = [item for item in entries if item.peak.family != family]
            if len(others) >= 5:
                factor = interval_factor(others)
                own = [item for item in entries if item.peak.family == family]
                inside += [1 / factor <= 1 + item.error <= factor for item in own]
    assert np.mean(inside) >= 0.7  # of some forty: a coin of 0.8 falls below once in twenty


def test_it_is_better_than_weights_and_activations_on_top_of_the_base() -> None:
    """What one would reckon without rules: the runtime, each weight once, activations by liveness.

    onnxruntime on Arm does keep most weights once: there it is right but for text models, and the largest error counts.
    """
    recorded = by_series(read_peaks())
    for key, entries in series().items():
        peaks = [item.peak for item in entries]
        if len(peaks) < 5:
            continue
        base = min(peak.peak for peak in recorded[key] if peak.family == PROBE)
        byte = 4 if key[1] == "fp32" else 1
        plain = [
            abs((base + byte * peak.terms[1:6].sum() + peak.terms[NAMES.index("arena")]) / peak.peak - 1)
            for peak in peaks
        ]
        judged_by = np.max if key == ("onnxruntime", "fp32", "aarch64") else np.median
        assert judged_by([abs(item.error) for item in entries]) < judged_by(plain)


def measured(bundle: Path) -> int:
    """The highest resident memory of a process that answers with ``bundle``; the smallest of three."""
    peaks = []
    for _ in range(3):
        with LocalDevice().start(bundle, threads=1) as session:
            peaks.append(memory_by_phase(session, 5).peak)
    return min(peaks)


def beyond(bundle: Path, empty: Path, base: int) -> int:
    """The peak with ``bundle``, on a machine where the runtime takes ``base`` with a model of next to nothing.

    How much of the runtime's own files is resident goes with how they came into the kernel's cache: of a fresh
    installation OpenVINO takes 23 MB more than of the same files read again (101 and 124 MB, one model).
    """
    return measured(bundle) - measured(empty) + base


@pytest.mark.alone
def test_onnxruntime_here(tmp_path: Path) -> None:
    """80 MB of activations, hardly any weights; no probe is like it."""
    bundle = onnx_bundle(tmp_path / "bundle", conv_net(channels=48, layers=4, size=320))
    found = predict_memory(load_model(bundle / "model.onnx"), "onnxruntime", "fp32")
    assert found
    assert beyond(bundle, onnx_bundle(tmp_path / "empty"), found.base) == pytest.approx(found.peak, rel=BAR)
    assert found.base < found.low < found.peak < found.high


@pytest.mark.alone
def test_openvino_here(tmp_path: Path) -> None:
    bundle = openvino_bundle(tmp_path / "bundle", conv_net(channels=48, layers=4, size=320))
    found = predict_memory(load_model(bundle.with_suffix(".onnx")), "openvino", "fp32")
    assert found
    assert beyond(bundle, openvino_bundle(tmp_path / "empty"), found.base) == pytest.approx(
        found.peak, rel=BAR
    )
    assert found.peak > 1.2 * found.base  # else nothing but the runtime would be compared


@pytest.mark.alone
@pytest.mark.parametrize("int8", [False, True])
def test_litert_here(tmp_path: Path, *, int8: bool) -> None:
    bundle = litert_bundle(tmp_path / "bundle", int8=int8)
    found = predict_memory(load_model(bundle / "model.tflite"), "litert", "fp32")
    assert found
    assert found.peak == pytest.approx(measured(bundle), rel=BAR)
