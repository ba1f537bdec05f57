"""Profile real bundles: every figure is there, adds up, and stands under its conditions."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgekit.bundles import read_bundle
from edgekit.bundles.read import file_entries
from edgekit.devices import LocalDevice, RunnerSession
from edgekit.errors import BundleError, DeviceError, ModelError
from edgekit.profiling import Extent, interleave, profile, runnable
from edgekit.profiling.names import source_operators
from edgekit.profiling.record import Measurement, OperatorTime
from tests.runner.bundles import conv_net, image, litert_bundle, onnx_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_bundle(tmp_path_factory.mktemp("measure") / "net.edgekit")


@pytest.fixture(scope="module")
def measured(bundle: Path) -> Measurement:
    return profile(bundle, LocalDevice(), extent=Extent(runs=203))


def test_counts_and_percentiles_come_from_the_raw_times(measured: Measurement) -> None:
    latency = measured.latency_ms
    assert latency is not None
    assert latency.samples == len(latency.raw_ms) == len(latency.raw_cpu_ms) == 203
    assert sum(block.samples for block in latency.blocks) == 203
    assert latency.p50 == pytest.approx(np.percentile(latency.raw_ms, 50))
    assert latency.p99 == pytest.approx(np.percentile(latency.raw_ms, 99))
    assert latency.ci_low <= latency.p50 <= latency.ci_high
    assert latency.p50 <= latency.p90 <= latency.p99
    assert latency.warning is None


def test_every_process_contributes_a_cold_start(measured: Measurement) -> None:
    assert measured.latency_ms is not None
    assert len(measured.starts) == 5
    assert {block.process for block in measured.latency_ms.blocks} == set(range(5))
    # importing numpy and the runtime alone takes longer than a second session of this small net
    assert measured.cold_start_ms is not None
    assert measured.warm_start_ms is not None
    assert measured.cold_start_ms > measured.warm_start_ms > 0
    assert all(0 < start.load_ms < start.wall_ms for start in measured.starts)


def test_memory_agrees_with_a_process_whose_peak_was_not_reset(measured: Measurement) -> None:
    memory = measured.memory_bytes
    assert memory.kernel_peak is not None
    assert memory.peak == pytest.approx(memory.kernel_peak, rel=0.03)
    assert 0 < memory.base <= memory.peak


def test_operators_have_the_names_of_source_nodes(measured: Measurement) -> None:
    source = {node.name for node in conv_net().graph.node}
    names = {part for operator in measured.operators for part in operator.name.split(",")}
    # every convolution with the activation it was fused with; layout changes are the runtime's own
    assert {
        "conv0",
        "relu0",
        "conv1",
        "relu1",
        "conv2",
        "relu2",
        "pool",
        "flatten",
        "head_product",
    } == names & source
    assert all(name.endswith(" (layout change by onnxruntime)") for name in names - source)


def test_conditions_are_kept(measured: Measurement) -> None:
    context = measured.context
    assert context.runtime == "onnxruntime"
    assert context.threads == 1
    assert context.cores == len(os.sched_getaffinity(0))
    assert measured.golden_error is not None
    assert measured.golden_error < 1e-4
    assert measured.kind == "measured"


def test_a_record_survives_being_written(measured: Measurement) -> None:
    text = measured.model_dump_json(by_alias=True)
    assert Measurement.model_validate(json.loads(text)) == measured


def test_few_samples_come_with_a_warning(bundle: Path) -> None:
    short = profile(bundle, LocalDevice(), extent=Extent(runs=3))
    assert short.latency_ms is not None
    assert short.latency_ms.samples == 3
    assert len(short.starts) == 3
    assert short.latency_ms.warning is not None
    assert "p99 stands on 3 samples only; 100 are needed" in short.latency_ms.warning


def test_a_duration_is_shared_among_the_processes(bundle: Path) -> None:
    taken = profile(bundle, LocalDevice(), extent=Extent(duration_s=0.2, processes=2))
    assert taken.latency_ms is not None
    per_process = [sum(block.process == number for block in taken.latency_ms.blocks) for number in (0, 1)]
    assert min(per_process) >= 3


def test_wrong_answers_are_not_timed(bundle: Path, tmp_path: Path) -> None:
    """A contract of another model, weights of another training, a broken runtime: all end here."""
    wrong = onnx_bundle(tmp_path / "wrong.edgekit")
    with np.load(wrong / "golden.npz") as arrays:
        values = {name: arrays[name] for name in arrays.files}
    values["out:scores"] += 1
    np.savez(wrong / "golden.npz", allow_pickle=False, **values)
    manifest = read_bundle(wrong).manifest
    files = [entry for entry in manifest.files if entry.path != "golden.npz"]
    (wrong / "manifest.json").write_text(
        manifest.model_copy(update={"files": tuple(files)}).model_dump_json(by_alias=True)
    )
    with pytest.raises(
        DeviceError, match=r"wrong\.edgekit on local: the golden pair does not reproduce here"
    ):
        profile(wrong, LocalDevice(), extent=Extent(runs=2))


def test_an_artifact_that_was_exchanged_is_refused_whoever_runs_it(tmp_path: Path) -> None:
    """Every hash is right, the answers are not: the runner itself says so, before it answers anything else."""
    wrong, another = onnx_bundle(tmp_path / "wrong.edgekit"), conv_net()
    head = next(tensor for tensor in another.graph.initializer if tensor.name == "head")
    head.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(head), "head"))
    (wrong / "model.onnx").write_bytes(another.SerializeToString())
    manifest = read_bundle(wrong).manifest
    sealed = manifest.model_copy(update={"files": file_entries(wrong, without=("manifest.json",))})
    (wrong / "manifest.json").write_text(sealed.model_dump_json(by_alias=True))
    # turned round: as far off as twice its largest value
    figures = r"output 'scores': relative error 2, allowed 0\.0001, cosine -1\.0000"
    with pytest.raises(DeviceError, match=figures):
        profile(wrong, LocalDevice(), extent=Extent(runs=2))
    asked: list[Callable[[RunnerSession], object]] = [
        lambda session: session.infer([{"image": image()}]),
        lambda session: session.second_session(),
        lambda session: session.operators(1),
        lambda session: session.run(1),
    ]
    for ask in asked:
        with LocalDevice().start(wrong, threads=1) as session:
            session.load()
            for _ in range(2):  # asked again it is as wrong
                with pytest.raises(DeviceError, match="the golden pair does not reproduce here"):
                    ask(session)


def test_the_golden_pair_costs_one_inference_a_load(bundle: Path) -> None:
    """None where the first one is timed, which answers the golden input anyway."""
    with LocalDevice().start(bundle, threads=1) as session:
        session.load()
        assert session.timed_runs(1).check_ms > 0
        assert session.timed_runs(2).check_ms == 0
        session.load()
        assert session.timed_runs(1).check_ms > 0


def test_a_changed_bundle_is_refused(tmp_path: Path) -> None:
    changed = onnx_bundle(tmp_path / "changed.edgekit")
    (changed / "model.onnx").unlink()
    with pytest.raises(DeviceError, match=r"absent or changed since the bundle was written: model\.onnx"):
        profile(changed, LocalDevice(), extent=Extent(runs=2))


def test_sessions_are_timed_in_turn(bundle: Path, tmp_path: Path) -> None:
    other = litert_bundle(tmp_path / "other")
    device = LocalDevice()
    with device.start(bundle, threads=1) as first, device.start(other, threads=1) as second:
        first.load()
        second.load()
        times = interleave({"first": first, "second": second}, rounds=5, block_ms=2)
    assert {name: len(values) for name, values in times.items()} == {"first": 5, "second": 5}


def test_the_order_turns_round_every_time() -> None:
    asked: list[str] = []

    class Named:
        def __init__(self, name: str) -> None:
            self.name = name

        def run(self, runs: int, warmup: int = 0) -> list[float]:
            asked.append(self.name)
            return [20.0] * runs

    interleave({name: Named(name) for name in "abc"}, rounds=2)
    assert "".join(asked) == "abc" + "abc" + "cba"


def test_runs_a_plain_model_file(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(conv_net().SerializeToString())
    with runnable(str(path)) as bundle:
        taken = profile(bundle, LocalDevice(), extent=Extent(runs=2, processes=1))
    assert taken.bundle == "net.onnx"
    assert taken.golden_error is None
    assert not bundle.folder.exists()


def test_runs_a_plain_tflite_file(tmp_path: Path) -> None:
    source = litert_bundle(tmp_path / "source") / "model.tflite"
    with runnable(str(source)) as bundle:
        taken = profile(bundle, LocalDevice(), extent=Extent(runs=2, processes=1))
    assert taken.context.runtime == "litert"
    assert {"dense0", "dense1", "scores"} == {operator.name for operator in taken.operators}


def test_a_free_shape_must_be_fixed(tmp_path: Path) -> None:
    model = conv_net()
    model.graph.input[0].type.tensor_type.shape.dim[3].dim_param = "width"
    path = tmp_path / "free.onnx"
    path.write_bytes(model.SerializeToString())
    with (
        pytest.raises(ModelError, match=r"input 'image' has no fixed shape .* --shape image:1,"),
        runnable(str(path)),
    ):
        pass
    with runnable(str(path), {"image": (1, 3, 32, 48)}) as bundle:
        taken = profile(bundle, LocalDevice(), extent=Extent(runs=1))
    assert taken.latency_ms is not None


def test_what_is_neither_bundle_nor_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"holds no manifest\.json"), runnable(str(tmp_path)):
        pass


def test_blocked_kernels_are_named_after_the_nodes_they_replace(bundle: Path) -> None:
    operators = [
        OperatorTime(name="r1_nchwc", op="Conv", ms=1.0),
        OperatorTime(name="flatten_token_12", op="Flatten", ms=1.0),
        OperatorTime(name="head_product/MatMulScaleFusion/", op="FusedMatMul", ms=1.0),
        OperatorTime(name="made_up", op="ReorderInput", ms=1.0),
    ]
    names = [operator.name for operator in source_operators(read_bundle(bundle), operators)]
    assert names == [
        "conv1,relu1",
        "flatten",
        "head_product",
        "made_up (layout change by onnxruntime)",
    ]


def test_names_go_through_the_manifests_map(tmp_path: Path) -> None:
    renamed = onnx_bundle(tmp_path / "renamed")
    manifest = read_bundle(renamed).manifest
    artifact = manifest.artifact.model_copy(
        update={"source_nodes": {"conv1": "block/conv", "relu1": "block/relu"}}
    )
    (renamed / "manifest.json").write_text(
        manifest.model_copy(update={"artifact": artifact}).model_dump_json(by_alias=True)
    )
    assert onnx.load(renamed / "model.onnx").graph.node[2].name == "conv1"
    operators = source_operators(read_bundle(renamed), [OperatorTime(name="r1_nchwc", op="Conv", ms=1.0)])
    assert operators[0].name == "block/conv,block/relu"
