"""What the schema of one file cannot say: names that must match, and what files owe each other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from edgekit.catalog.facts import fact_problems, unsourced
from edgekit.catalog.files import Place
from edgekit.catalog_schema import Converter, Profile, Target, TargetRuntime
from edgekit.host.machine import VNNI
from edgekit.vocabulary import INT8_ARITHMETIC, SAME_FILES, ArtifactFormat


def near_miss(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else ""


def profile_problems(profile: Profile) -> list[str]:
    """What is wrong with a profile, as lines without the file's name."""
    clockless = [
        f"cpu.clusters.{index}.clock_hz: missing"
        for index, cluster in enumerate(profile.cpu.clusters)
        if cluster.clock_hz is None and not profile.detected
    ]
    return [*clockless, *fact_problems(profile), *unsourced(profile)]


def converter_problems(converter: Converter, place: Place) -> list[str]:
    """What is missing in a converter's folder, as lines without the file's name."""
    needed = [] if converter.waits_for else ["worker.py"]
    if converter.environment.lock:
        needed.append(converter.environment.lock)
    return [
        f"{name}: not in the folder {place.path.parent}"
        for name in needed
        if not (place.path.parent / name).is_file()
    ]


def target_problems(
    target: Target, profiles: Mapping[str, Profile | None], converters: Sequence[Converter | None]
) -> list[str]:
    """What is wrong with a target among its neighbours, as lines without the file's name.

    A neighbour that is None has problems of its own, told elsewhere; what follows from them is not told.
    """
    problems = fact_problems(target)
    if target.profile not in profiles:
        problems.append(
            f"profile: there is no profile '{target.profile}'{near_miss(target.profile, profiles)}"
        )
    elif (profile := profiles[target.profile]) is not None:
        problems += _beyond_profile(target, profile)
    known = tuple(converter for converter in converters if converter is not None)
    for index, runtime in enumerate(target.runtimes):
        lines = [*_runtime_problems(target, runtime)]
        if runtime.status == "available" and len(known) == len(converters):
            lines += _not_served(runtime, known)
        problems += [f"runtimes.{index}: {line}" for line in lines]
    return problems


def _beyond_profile(target: Target, profile: Profile) -> Iterator[str]:
    """A target may promise less than its hardware has, never more."""
    extra = sorted(set(target.isa_features) - set(profile.cpu.isa_features))
    if extra:
        yield f"isa_features: profile '{profile.id}' has no {', '.join(extra)}"
    if target.memory.ram_bytes > profile.memory.ram_bytes:
        yield f"memory.ram_bytes: more than the {profile.memory.ram_bytes} of profile '{profile.id}'"
    cores = sum(cluster.cores for cluster in profile.cpu.clusters)
    if target.threads > cores:
        yield f"threads: more than the {cores} cores of profile '{profile.id}'"


def _runtime_problems(target: Target, runtime: TargetRuntime) -> Iterator[str]:
    if runtime.arch not in (None, target.arch):
        yield f"arch: this target is {target.arch}"
    int8 = not INT8_ARITHMETIC.isdisjoint(runtime.precisions)
    saturates = target.arch == "x86_64" and VNNI.isdisjoint(target.isa_features)
    if runtime.id in ("onnxruntime", "openvino") and int8 and saturates and runtime.int8_weight_bits != 7:
        yield "int8_weight_bits: must be 7: without VNNI, sums of 8-bit products saturate and are wrong"


def _not_served(runtime: TargetRuntime, converters: tuple[Converter, ...]) -> Iterator[str]:
    wanted = SAME_FILES.get(runtime.id, runtime.id)
    reachable = _reachable(converters)
    serving = [
        (variant.emits or converter.emits, variant.precision)
        for converter in converters
        if converter.runtime == wanted and converter.accepts in reachable and not converter.waits_for
        for variant in converter.variants
    ]
    for format_ in runtime.formats:
        if format_ not in {emitted for emitted, _ in serving}:
            yield f"formats: no converter makes {format_} for {runtime.id}; add one, or say what it waits_for"
    offered = {precision for emitted, precision in serving if emitted in runtime.formats}
    for precision in runtime.precisions:
        if precision not in offered and offered:
            yield f"precisions: no converter makes {precision} for {runtime.id}"


def _reachable(converters: tuple[Converter, ...]) -> set[ArtifactFormat]:
    """Formats that a source model (ONNX or TFLite) can be brought into by steps that only feed other converters."""
    formats: set[ArtifactFormat] = {"onnx", "tflite"}
    steps = [converter for converter in converters if converter.runtime is None and not converter.waits_for]
    for _ in steps:
        formats |= {step.emits for step in steps if step.accepts in formats}
    return formats
