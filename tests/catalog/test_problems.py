"""What is wrong is told all at once, with the file, the key and the near miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.catalog import check, load_catalog
from edgekit.errors import CatalogError
from tests.catalog.sample_files import write_board, write_converter, write_profile, write_target


def problem_lines() -> list[str]:
    return list(check()[1])


def test_sample_files_are_good(project: Path) -> None:
    write_board(project, "board")
    write_converter(project, "tool")
    assert problem_lines() == []
    assert load_catalog().target("board").profile == "board"


def test_every_problem_of_every_file_in_one_message(project: Path) -> None:
    write_target(project, "one", arch='archh = "aarch64"', threads="")
    write_profile(project, "one", type='typ = "LPDDR4"')
    write_target(project, "two", os='os = "windows"')
    write_profile(project, "two", cores="cores = 0")
    write_converter(project, "three", emits='emits = "rkn"')
    (project / "targets" / "four.toml").write_text("schema = = 1")
    (project / "targets" / "five.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(CatalogError) as raised:
        load_catalog()
    message = str(raised.value)
    for expected in (
        "targets/one.toml: archh: unknown key; did you mean 'arch'?",
        "targets/one.toml: arch: missing",
        "targets/one.toml: threads: missing",
        "profiles/one.toml: memory.typ: unknown key; did you mean 'type'?",
        "profiles/one.toml: memory.type: missing",
        "targets/two.toml: os: 'windows' is not one of",
        "profiles/two.toml: cpu.clusters.0.cores: input should be greater than 0",
        "converters/three/converter.toml: emits: 'rkn' is not one of",
        "did you mean 'rknn'?",
        "targets/four.toml: ",
        "targets/five.toml: ",
    ):
        assert expected in message
    assert message.startswith(f"{message.count('.toml: ')} problems in the catalog:\n")


def test_one_problem_is_one_line(project: Path) -> None:
    write_board(project, "board")
    write_target(project, "board", threads="threads = 2.5")
    with pytest.raises(
        CatalogError, match=r"^targets/board.toml: threads: input should be a valid integer[^\n]*$"
    ):
        load_catalog()


def test_a_wrong_neighbour_is_told_once(project: Path) -> None:
    """A target is not blamed for its profile's or a converter's mistakes."""
    write_target(project, "board")
    write_profile(project, "board", cores="")
    write_converter(project, "onnxruntime", emits='emits = "onx"')
    assert [line.split(":")[0] for line in problem_lines()] == [
        "profiles/board.toml", "converters/onnxruntime/converter.toml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ({"id": 'id = "bord"'}, "id: 'bord', but the file is called 'board'"),
        ({"id": 'id = "Board 1"'}, "id: string should match pattern"),
        (
            {"profile": 'profile = "raspberry-pi-6"'},
            "no profile 'raspberry-pi-6'; did you mean 'raspberry-pi-",
        ),
        (
            {"isa_features": 'isa_features = ["neon", "dotprod"]'},
            "isa_features: profile 'board' has no dotprod",
        ),
        ({"threads": "threads = 3"}, "threads: more than the 2 cores of profile 'board'"),
        (
            {"ram_bytes": "ram_bytes = 1_000_001"},
            "memory.ram_bytes: more than the 1000000 of profile 'board'",
        ),
        (
            {"formats": 'formats = ["tflite"]'},
            "runtimes.0: formats: no converter makes tflite for onnxruntime",
        ),
        (
            {"precisions": 'precisions = ["fp32"]\nstatus = "waiting"'},
            "'waits_for' is needed when status is 'waiting'",
        ),
        (
            {"precisions": 'precisions = ["fp32"]\narch = "x86_64"'},
            "runtimes.0: arch: this target is aarch64",
        ),
        ({"facts": 'facts = ["memory.ram_byte"]'}, "did you mean 'memory.ram_bytes'?"),
        ({"facts": 'facts = ["summary"]'}, "sources.0.facts: 'summary' names nothing in this file"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_target(project: Path, replaced: dict[str, str], expected: str) -> None:
    write_board(project, "board")
    write_target(project, "board", **replaced)
    (line,) = problem_lines()
    assert line.startswith("targets/board.toml: ")
    assert expected in line


def test_a_runtime_without_converter_must_wait(project: Path) -> None:
    write_board(project, "board")
    runtime = {"id": 'id = "rknn"', "formats": 'formats = ["rknn"]', "precisions": 'precisions = ["fp16"]'}
    text = write_target(project, "board").read_text()
    for key, line in runtime.items():
        old = next(row for row in text.splitlines()[12:] if row.startswith(f"{key} ="))
        text = text.replace(old, line)
    path = project / "targets" / "board.toml"
    path.write_text(text)
    assert "no converter makes rknn for rknn; add one, or say what it waits_for" in problem_lines()[0]
    path.write_text(text.replace('["fp16"]', '["fp16"]\nstatus = "waiting"\nwaits_for = "its tool"'))
    assert problem_lines() == []
    path.write_text(text)
    write_converter(project, "tool")
    assert problem_lines() == []
    path.write_text(text.replace('["fp16"]', '["fp16", "int8"]'))
    assert problem_lines() == ["targets/board.toml: runtimes.0: precisions: no converter makes int8 for rknn"]


def test_a_chain_of_converters_serves_a_runtime(project: Path) -> None:
    """onnx > ms by a step, ms > rknn by the last; without the first nothing leads there."""
    write_board(project, "board")
    target = (project / "targets" / "board.toml").read_text()
    runtime = target.replace('id = "onnxruntime"', 'id = "rknn"').replace('["onnx"]', '["rknn"]')
    (project / "targets" / "board.toml").write_text(runtime.replace('"fp32", "int8"', '"fp16"'))
    write_converter(project, "last", accepts='accepts = "ms"')
    assert "no converter makes rknn" in problem_lines()[0]
    write_converter(project, "step", emits='emits = "ms"', runtime="")
    assert problem_lines() == []


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ({"facts": 'facts = ["cpu"]'}, ["memory.ram_b", "memory.transfers_per_s", "memory.bus_bits", "memory.bandwidth"]),
        ({"facts": 'facts = ["memory", "cpu.clusters.*.clock_hz"]'}, ["cpu.clusters.0.cores", "cpu.isa_features"]),
        ({"facts": 'facts = ["memory", "cpu", "cpu.l3_bytes"]'}, ["sources.0.facts: 'cpu.l3_bytes' names nothing"]),
        ({"facts": 'facts = ["memory", "cpu", "cpu.clusters.0.clock"]'}, ["did you mean 'cpu.clusters.0.clock_hz'?"]),
        ({"clock_hz": ""}, ["cpu.clusters.0.clock_hz: missing"]),
        ({"bus_bits": "bus_bits = 64"}, ["bandwidth_bytes_per_s is transfers_per_s * bus_bits / 8 = 32000000000"]),
        ({"basis": 'basis = "estimation"'}, ["did you mean 'estimate'?"]),
    ],
    ids=["memory unsourced", "cores unsourced", "absent fact", "near miss", "no clock", "bandwidth", "basis"],
)  # fmt: skip
def test_wrong_profile(project: Path, replaced: dict[str, str], expected: list[str]) -> None:
    write_board(project, "board")
    write_profile(project, "board", **replaced)
    lines = problem_lines()
    assert all(line.startswith("profiles/board.toml: ") for line in lines)
    assert len(lines) == len(expected)
    assert all(any(words in line for line in lines) for words in expected)


def test_wrong_converter_folder(project: Path) -> None:
    path = write_converter(project, "tool", kind='kind = "isolated"\nlock = "tool.lock"\npython = ">=3.12"')
    assert problem_lines() == [f"converters/tool/converter.toml: tool.lock: not in the folder {path.parent}"]
    path.with_name("tool.lock").touch()
    path.with_name("worker.py").unlink()
    assert "worker.py: not in the folder" in problem_lines()[0]
    write_converter(project, "tool", id='id = "too"')
    assert problem_lines() == ["converters/tool/converter.toml: id: 'too', but the folder is called 'tool'"]


def test_a_converter_that_waits_needs_no_worker(project: Path) -> None:
    path = write_converter(project, "tool", runtime='runtime = "rknn"\nwaits_for = "its maker"')
    path.with_name("worker.py").unlink()
    assert problem_lines() == []


@pytest.mark.parametrize(("features", "wrong"), [('["avx2"]', True), ('["avx2", "avx-vnni"]', False)])
def test_x86_without_vnni_needs_weights_of_7_bits(project: Path, features: str, wrong: bool) -> None:
    write_profile(project, "board", isa_features=f"isa_features = {features}")
    x86 = {"arch": 'arch = "x86_64"', "isa_features": f"isa_features = {features}"}
    write_target(project, "board", **x86)
    assert bool(problem_lines()) == wrong
    if wrong:
        assert "int8_weight_bits: must be 7: without VNNI" in problem_lines()[0]
    write_target(project, "board", **x86, precisions='precisions = ["fp32", "int8"]\nint8_weight_bits = 7')
    assert problem_lines() == []


def test_what_the_instruction_set_tells_cannot_be_stated_otherwise(project: Path) -> None:
    write_board(project, "board")
    write_target(project, "board", precisions='precisions = ["fp32", "int8"]\ninteger_sums = "saturating"')
    assert "integer_sums: exact, as its arch and isa_features say" in problem_lines()[0]
