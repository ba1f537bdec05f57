"""Names of Arm cores by the implementer and part number of their main identification register (MIDR_EL1).

Numbers: the identification register's page in each core's technical reference manual; collected in Linux,
arch/arm64/include/asm/cputype.h, and util-linux, sys-utils/lscpu-arm.c.
"""

import re
from collections.abc import Mapping

PARTS: Mapping[tuple[str, str], str] = {
    ("0x41", "0xc07"): "Cortex-A7",
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd04"): "Cortex-A35",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4e"): "Cortex-X3",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720",
    ("0x41", "0xd82"): "Cortex-X4",
    ("0x48", "0xd01"): "TaiShan-v110",
    ("0x48", "0xd02"): "TaiShan-v120",
    ("0x4e", "0x004"): "Carmel",
    ("0x51", "0x804"): "Kryo-4XX-Gold",
    ("0x51", "0x805"): "Kryo-4XX-Silver",
}


def core_name(cpu: str) -> str:
    """``Arm implementer 0x41 part 0xd08``, as a runner says it, by the core's name where it is known."""
    said = re.fullmatch(r"Arm implementer (\w+) part (\w+)", cpu)
    return PARTS.get((said[1], said[2]), cpu) if said else cpu
