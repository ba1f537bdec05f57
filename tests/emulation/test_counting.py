"""The plugin's counts of instructions that are known one by one, and of Python twice."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from edgekit.catalog import load_catalog
from edgekit.devices.emulated import Emulation
from edgekit.devices.emulated.board import find_board
from edgekit.devices.emulated.plugin import plugin_option
from edgekit.devices.emulated.view import arm_python, make_view

pytestmark = [pytest.mark.slow, pytest.mark.emulated, pytest.mark.network]
# words of A64 by the class that they belong to; each may follow any other, x0 points to 64 bytes
WORDS: Mapping[str, Mapping[str, int]] = {
    "fma": {
        "fmla v0.4s, v1.4s, v2.4s": 0x4E22CC20,
        "fmls v0.2d, v1.2d, v2.2d": 0x4EE2CC20,
        "fmla v0.8h, v1.8h, v2.8h": 0x4E420C20,
        "fmla v0.4s, v1.4s, v2.s[0]": 0x4F821020,
        "fmla v0.8h, v1.8h, v2.h[0]": 0x4F021020,
        "fmla s0, s1, v2.s[0]": 0x5F821020,
        "fmadd s0, s1, s2, s3": 0x1F020C20,
    },
    "int_mac": {
        "smlal v0.8h, v1.8b, v2.8b": 0x0E228020,
        "umlal2 v0.8h, v1.16b, v2.16b": 0x6E228020,
        "smlsl v0.4s, v1.4h, v2.4h": 0x0E62A020,
        "smull v0.8h, v1.8b, v2.8b": 0x0E22C020,
        "umlal v0.4s, v1.4h, v2.h[0]": 0x2F422020,
        "smlal2 v0.4s, v1.8h, v2.h[0]": 0x4F422020,
        "mla v0.4s, v1.4s, v2.4s": 0x4EA29420,
        "mul v0.4s, v1.4s, v2.4s": 0x4EA29C20,
        "mla v0.8h, v1.8h, v2.h[0]": 0x6F420020,
    },
    "dot": {
        "sdot v0.4s, v1.16b, v2.16b": 0x4E829420,
        "udot v0.4s, v1.16b, v2.16b": 0x6E829420,
        "sdot v0.4s, v1.16b, v2.4b[0]": 0x4F82E020,
    },
    "vector": {
        "fmul v0.4s, v1.4s, v2.4s": 0x6E22DC20,
        "fadd s0, s1, s2": 0x1E222820,
        "sadalp v0.4s, v1.8h": 0x4E606820,
        "sqrdmulh v0.4s, v1.4s, v2.4s": 0x6EA2B420,
        "dup v0.4s, w1": 0x4E040C20,
    },
    "vector_load": {
        "ldr q0, [x0]": 0x3DC00000,
        "ldr s0, [x0]": 0xBD400000,
        "ldp q0, q1, [x0]": 0xAD400400,
        "ld1 {v0.16b}, [x0]": 0x4C407000,
    },
    "vector_store": {
        "str q0, [x0]": 0x3D800000,
        "stp d0, d1, [x0]": 0x6D000400,
        "st1 {v0.16b}, [x0]": 0x4C007000,
    },
    "load": {"ldr x1, [x0]": 0xF9400001, "ldrsw x1, [x0]": 0xB9800001, "ldp x1, x2, [x0]": 0xA9400801},
    "store": {"str x1, [x0]": 0xF9000001, "strb w1, [x0]": 0x39000001},
    "branch": {"b .+4": 0x14000001, "cbz xzr, .+4": 0xB400003F},
    "scalar": {"add x1, x1, x1": 0x8B010021, "madd x1, x1, x1, x1": 0x9B010421, "mov x1, 7": 0xD28000E1},
}
TIMES = 10_000
AROUND = 1000
"""Instructions by which the interpreter's own differ from region to region."""
GUEST = """
import ctypes, json, mmap, os, struct, sys

def mark(step):
    try:
        os.getpriority(0x45444745, step)
    except OSError:
        pass

def counted(words):
    code = mmap.mmap(-1, 65536, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(struct.pack(f"<{len(words)}I", *words))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    room = ctypes.create_string_buffer(128)
    place = ctypes.addressof(room)
    function(place)
    mark(1)
    function(place)
    mark(2)

RETURN = 0xD65F03C0
for words in json.load(open(sys.argv[1])):
    counted([*words, RETURN])
"""


def written(folder: Path, words: list[list[int]]) -> str:
    path = folder / "words.json"
    path.write_text(json.dumps(words))
    return str(path)


def regions(
    emulation: Emulation, board_name: str, code: str, *arguments: str, folder: Path
) -> list[dict[str, int]]:
    """What the plugin counted in ``code``, run by Python on the board."""
    assert emulation.plugin, emulation.why_no_counts
    board = find_board(board_name, load_catalog())
    view = folder / "view"
    if not view.is_dir():
        make_view(view, emulation.sysroot, board)
    qemu, *rest = arm_python(view, board)
    counts = folder / "counts"
    counts.unlink(missing_ok=True)
    command = [qemu, *plugin_option(emulation.plugin, counts, board.caches), *rest, "-c", code, *arguments]
    environment = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in counts.read_text().splitlines()]


def test_each_instruction_counts_in_its_class(emulation: Emulation, tmp_path: Path) -> None:
    """On the core that has the most of them."""
    every = [(kind, text, word) for kind, words in WORDS.items() for text, word in words.items()]
    _, nothing, *found = regions(  # the first one binds symbols
        emulation,
        "raspberry-pi-5",
        GUEST,
        written(tmp_path, [[], [], *([word] * TIMES for _, _, word in every)]),
        folder=tmp_path,
    )
    wrong = {}
    for (kind, text, _), counts in zip(every, found, strict=True):
        more = {name: counts[name] - nothing[name] for name in WORDS}
        grown = {name for name, count in more.items() if abs(count) > AROUND}
        if grown != {kind} or abs(more[kind] - TIMES) > AROUND:
            wrong[text] = more
    assert wrong == {}


LOAD, STORE = 0xF9400001, 0xF9000001  # ldr x1, [x0]; str x1, [x0]


@pytest.mark.parametrize("touch", [LOAD, STORE], ids=["load", "store"])
def test_misses_are_those_of_the_boards_caches(emulation: Emulation, tmp_path: Path, touch: int) -> None:
    """Going over 256 KB twice misses each line of a 32 KB cache twice, and of the second level of 1 MB once."""
    step, loop, back = 0x91010000, 0xF1000442, 0x54FFFFA1
    keep, back_to_start = 0xAA0003E3, 0xAA0303E0  # mov x3, x0; mov x0, x3
    size = 256 * 1024
    walk = [
        0xD2800002 | (size // 64 & 0xFFFF) << 5,  # mov x2, lines
        touch,
        step,  # add x0, x0, 64
        loop,  # subs x2, x2, 1
        back,  # b.ne .-12
    ]
    code = GUEST.replace("create_string_buffer(128)", f"create_string_buffer({size + 64})")
    nothing, counts = regions(
        emulation,
        "raspberry-pi-4",
        code,
        written(tmp_path, [[], [keep, *walk, back_to_start, *walk]]),
        folder=tmp_path,
    )
    lines = size // 64
    # the interpreter's own lines, which come and go, are some hundreds
    for level, times in (("l1", 2), ("l2", 1)):
        for kind, made in (("misses", times), ("written", times if touch == STORE else 0)):
            more = counts[f"{level}_{kind}"] - nothing[f"{level}_{kind}"]
            assert more == pytest.approx(made * lines, abs=0.1 * lines), f"{level} {kind}"


def test_python_counts_alike_in_two_processes(emulation: Emulation, tmp_path: Path) -> None:
    code = (
        GUEST.partition("def counted")[0]
        + "for _ in range(3):\n    mark(1)\n    sum(range(200_000))\n    mark(2)\n"
    )
    first, second = (regions(emulation, "raspberry-pi-4", code, folder=tmp_path)[-1] for _ in range(2))
    assert first["total"] > 200_000
    assert second["total"] == pytest.approx(first["total"], rel=1e-3)
