"""Python, the packages edgekit needs, and pairs of packages that are known to spoil each other."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from edgekit.doctor.finding import Finding

_TOPIC = "packages"
_DISTRIBUTION = "edgekit-toolchain"


@dataclass(frozen=True, slots=True)
class Clash:
    """Two distributions that must not be in one environment; versions as specifiers, empty for any."""

    first: str
    second: str
    why: str
    next_step: str


CLASHES = (
    Clash(
        "opencv-python",
        "opencv-python-headless",
        "both install the module cv2, and whichever came last half overwrites the other",
        "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless",
    ),
    Clash(
        "tflite-runtime",
        "numpy>=2",
        "it imports, then its Interpreter fails: built for numpy 1; edgekit runs .tflite with ai-edge-litert",
        "pip uninstall -y tflite-runtime",
    ),
    Clash(
        "numpy>=2.5",
        "nncf",
        "nncf 3.4 refuses numpy 2.5",
        "pip install 'numpy<2.5'",
    ),
    Clash(
        "onnxruntime-gpu",
        "onnxruntime",
        "both install the module onnxruntime, and whichever came last half overwrites the other",
        "pip uninstall -y onnxruntime-gpu onnxruntime && pip install onnxruntime",
    ),
)


def installed_versions() -> dict[str, str]:
    """Version of every installed distribution by its normalized name."""
    return {
        canonicalize_name(distribution.name): distribution.version
        for distribution in metadata.distributions()
    }


def requirements() -> tuple[Requirement, ...]:
    """What edgekit's own metadata asks for, extras left out."""
    asked = [Requirement(line) for line in metadata.requires(_DISTRIBUTION) or ()]
    return tuple(item for item in asked if item.marker is None or item.marker.evaluate({"extra": ""}))


def python_findings() -> Iterator[Finding]:
    implementation = platform.python_implementation()
    detail = f"{implementation} {platform.python_version()}, {sys.executable}"
    yield Finding(topic=_TOPIC, name="python", status="ok", detail=detail, essential=True)


def package_findings(installed: Mapping[str, str], required: Sequence[Requirement]) -> Iterator[Finding]:
    """One finding for all that are as required, and one for each that is not."""
    fine = [item for item in required if _fits(item, installed)]
    versions = ", ".join(f"{item.name} {installed[canonicalize_name(item.name)]}" for item in fine)
    yield Finding(
        topic=_TOPIC, name=f"{len(fine)} of {len(required)} as required", status="ok", detail=versions
    )
    for item in required:
        if not _fits(item, installed):
            yield _unfit(item, installed.get(canonicalize_name(item.name)))


def clash_findings(installed: Mapping[str, str]) -> Iterator[Finding]:
    """One warning for each known clash that is there."""
    for clash in CLASHES:
        pair = (Requirement(clash.first), Requirement(clash.second))
        if all(_fits(item, installed) for item in pair):
            yield Finding(
                topic=_TOPIC,
                name=" with ".join(f"{item.name} {installed[item.name]}" for item in pair),
                status="warning",
                detail=clash.why,
                next_step=clash.next_step,
            )


def _fits(item: Requirement, installed: Mapping[str, str]) -> bool:
    version = installed.get(canonicalize_name(item.name))
    return version is not None and item.specifier.contains(version, prereleases=True)


def _unfit(item: Requirement, version: str | None) -> Finding:
    wanted = f"{item.name}{item.specifier}"
    return Finding(
        topic=_TOPIC,
        name=item.name,
        status="missing" if version is None else "warning",
        detail="not installed" if version is None else f"{version} is installed, {wanted} is needed",
        next_step=f"{sys.executable} -m pip install '{wanted}'",
        essential=True,
    )
