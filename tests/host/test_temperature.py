"""Thermal zones as the kernel lays them out."""

from __future__ import annotations

from pathlib import Path

from edgekit.host.temperature import Zone, temperatures


def test_zones_that_tell_are_read_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "sys/class/thermal"
    told = {
        10: ("gpu-thermal", "47250\n"),
        2: ("cpu-thermal", "-1500"),
        3: ("off", ""),
        4: ("odd", "n/a"),
        5: (None, "1"),
    }
    for number, (kind, temp) in told.items():
        zone = folder / f"thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "temp").write_text(temp)
        if kind:
            (zone / "type").write_text(f"{kind}\n")
    (folder / "cooling_device0").mkdir()
    assert temperatures(tmp_path) == (
        Zone(number=2, kind="cpu-thermal", celsius=-1.5),
        Zone(number=5, kind="unknown", celsius=0.001),
        Zone(number=10, kind="gpu-thermal", celsius=47.25),
    )


def test_a_machine_without_sensors_has_no_temperature(tmp_path: Path) -> None:
    assert temperatures(tmp_path) == ()
