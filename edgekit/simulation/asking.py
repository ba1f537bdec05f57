"""Predictions for devices that are named: which profile each has, and what of it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgekit.catalog import Catalog
from edgekit.catalog_schema import Profile
from edgekit.errors import DeviceError
from edgekit.models.model import Model
from edgekit.simulation.layers import layers_of
from edgekit.simulation.memory import predict_memory
from edgekit.simulation.predict import Prediction, predict
from edgekit.simulation.work import Work
from edgekit.vocabulary import PREDICTED, Arch, Precision

_FLOAT: tuple[Precision, ...] = ("fp32", "fp16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to predict; None is everything there is."""

    runtime: str | None = None
    precision: Precision | None = None
    threads: int | None = None


def estimate(model: Model, devices: Sequence[str], catalog: Catalog, asked: Asked) -> list[Prediction]:
    """Predictions for ``devices`` (``predicted:ID`` of a target or a profile), fastest first; all where none is named.

    ModelError where the graph cannot be predicted, DeviceError where a device has not what was asked for.
    """
    named = bool(devices)
    profiles = {device: profile_of(device, catalog) for device in devices} if named else _all(catalog)
    for device, profile in profiles.items():
        if named:
            _check(device, profile, asked, catalog)
    work = Work.of(layers_of(model))
    precisions = (asked.precision,) if asked.precision else precisions_of(model)
    found = [
        prediction
        for device, profile in profiles.items()
        for prediction in predict(device.removeprefix(PREDICTED), profile, work, precisions)
        if asked.runtime in (None, prediction.speed.runtime)
        and asked.threads in (None, prediction.speed.threads)
    ]
    if not found:
        raise DeviceError(
            f"{', '.join(devices) or 'no board'}: no constants for {_words(asked, precisions)}; "
            "edgekit profiles check lists what there is"
        )
    found.sort(key=lambda prediction: prediction.latency_ms.p50)
    return _with_memory(
        found, model, {device.removeprefix(PREDICTED): profile.arch for device, profile in profiles.items()}
    )


def _with_memory(found: Sequence[Prediction], model: Model, arches: Mapping[str, Arch]) -> list[Prediction]:
    """Peaks depend on runtime, precision and architecture, not on the board."""
    keys = [(item.speed.runtime, item.speed.precision, arches[item.device]) for item in found]
    peaks = {key: predict_memory(model, *key) for key in set(keys)}
    return [replace(item, memory=peaks[key]) for item, key in zip(found, keys, strict=True)]


def precisions_of(model: Model) -> tuple[Precision, ...]:
    """What to predict: a quantized model computes in integers; of a float one both is worth knowing."""
    return ("int8",) if model.quantized else (*_FLOAT, "int8")


def profile_of(device: str, catalog: Catalog) -> Profile:
    """Of ``predicted:ID``, a target or a profile. EdgekitError where there is none."""
    if not device.startswith(PREDICTED):
        raise DeviceError(f"'{device}': estimate takes {PREDICTED}TARGET, such as {PREDICTED}raspberry-pi-4")
    name = device.removeprefix(PREDICTED)
    if name in catalog.profiles and name not in catalog.targets:
        return catalog.profile(name)
    return catalog.profile(catalog.target(name).profile)


def _all(catalog: Catalog) -> dict[str, Profile]:
    """Every target's profile, and those that no target has, where they have speeds."""
    of_targets = {name: catalog.profile(target.profile) for name, target in catalog.targets.items()}
    used = {profile.id for profile in of_targets.values()}
    others = {name: profile for name, profile in catalog.profiles.items() if name not in used}
    return {name: profile for name, profile in {**of_targets, **others}.items() if profile.speeds}


def _check(device: str, profile: Profile, asked: Asked, catalog: Catalog) -> None:
    """DeviceError where the profile has nothing of what was asked for."""
    name = device.removeprefix(PREDICTED)
    target = catalog.targets.get(name)
    if not profile.speeds and target and target.foretold:
        raise DeviceError(
            f"{device}: its compiler foretells what a graph takes there, from the graph itself nothing is known. "
            f"Try: edgekit convert MODEL -t {name}"
        )
    if not profile.speeds:
        raise DeviceError(
            f"{device}: profile '{profile.id}' has no speeds: nothing was published of it; "
            f"measure 5 to 8 models there and give them to edgekit profiles fit {profile.id} --rows"
        )
    runtimes = dict.fromkeys(speed.runtime for speed in profile.speeds)
    if asked.runtime and asked.runtime not in runtimes:
        raise DeviceError(
            f"{device}: profile '{profile.id}' has no constants for {asked.runtime}; it has: {', '.join(runtimes)}"
        )


def _words(asked: Asked, precisions: Sequence[Precision]) -> str:
    threads = f"{asked.threads} threads" if asked.threads else None
    return ", ".join(part for part in (asked.runtime, " or ".join(precisions), threads) if part)
