"""A Debian arm64 root with a Python, put together from Debian's packages; needs no root user.

Packages are fetched with an apt configuration of its own, verified with Debian's keys and unpacked with ``dpkg -x``:
nothing on this machine's system is touched. The release is always the same one, whatever runs here: what is emulated
then does not depend on it.
"""

from __future__ import annotations

from pathlib import Path

from edgekit.devices.emulated.tools import KEYRING, run

SUITE, PYTHON = "bookworm", "3.11"
PACKAGES = (f"python{PYTHON}-minimal", f"libpython{PYTHON}-stdlib", "libstdc++6", "zlib1g")
MIRROR = "http://deb.debian.org/debian"
"""Plain HTTP: apt verifies what it fetches by signature, and needs no certificates for it."""
_WHAT = f"Debian {SUITE} for arm64"


def make_sysroot(root: Path, work: Path, mirror: str = MIRROR) -> None:
    """Fetch and unpack the packages and what they depend on into ``root``, which gets ``usr/bin/python3.11``.

    ``work``: an empty folder for apt. EnvironmentSetupError with apt's words where it fails.
    """
    for place in ("state/lists/partial", "cache/archives/partial", "etc"):
        (work / place).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [arch=arm64 signed-by={KEYRING}] {mirror} {SUITE} main\n")
    config = work / "apt.conf"
    config.write_text(_apt_config(work))
    apt = ["apt-get", "-c", str(config), "-q"]
    run([*apt, "update"], f"{_WHAT} from {mirror}")
    run([*apt, "install", "-y", "--download-only", *PACKAGES], f"{_WHAT} from {mirror}")
    for package in sorted((work / "cache/archives").glob("*.deb")):
        run(["dpkg", "-x", str(package), str(root)], package.name)
    # base-files, which brings it, is not among the packages: without it the guest reads this machine's
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/os-release").write_text(f'PRETTY_NAME="{_WHAT}, in part"\nID=debian\n')


def _apt_config(work: Path) -> str:
    return "\n".join(
        (
            'APT::Architecture "arm64";',
            'APT::Architectures { "arm64"; };',
            'APT::Install-Recommends "false";',
            # apt would go on with what it has where an index cannot be fetched
            'APT::Update::Error-Mode "any";',
            f'Dir::State "{work}/state";',
            f'Dir::State::status "{work}/status";',
            f'Dir::Cache "{work}/cache";',
            f'Dir::Etc "{work}/etc";',
            f'Dir::Etc::SourceList "{work}/sources.list";',
            # as root apt hands downloads to the user _apt, who may not enter our folder
            'APT::Sandbox::User "root";',
            'Acquire::Languages "none";',
            # the host's configuration may empty the cache after each download
            'DPkg::Post-Invoke { "true"; };',
            'APT::Keep-Downloaded-Packages "true";',
            "",
        )
    )
