"""What a file says of its licence, in the order in which it is believed."""

from __future__ import annotations

from pathlib import Path

import flatbuffers
import pytest
from onnx import helper

from edgekit.errors import ModelError
from edgekit.models import load_model
from tests.models.building import relu, saved
from tests.models.tflite_building import tiny_tflite

ROOT = Path(__file__).parents[2]
MIT = "MIT License\n\nCopyright (c) somebody\n\nPermission is hereby granted, free of charge, to any person"
BSD = "Redistribution and use in source and binary forms, with or without\nmodification … Neither the name of"


def licence_of(folder: Path, **props: str) -> str | None:
    proto = relu()
    helper.set_model_props(proto, props)
    return load_model(saved(folder, proto)).licence


@pytest.mark.parametrize("key", ["license", "Licence", "SPDX-License-Identifier", "license_name"])
def test_metadata(tmp_path: Path, key: str) -> None:
    assert licence_of(tmp_path, **{key: "Apache-2.0", "author": "somebody"}) == "Apache-2.0"


def test_description(tmp_path: Path) -> None:
    proto = relu()
    proto.doc_string = "A net.\nLicense: BSD-3-Clause\nMade in a test."
    assert load_model(saved(tmp_path, proto)).licence == "BSD-3-Clause"


@pytest.mark.parametrize(
    ("text", "spdx"),
    [
        ((ROOT / "LICENSE").read_text(), "Apache-2.0"),
        (MIT, "MIT"),
        (BSD, "BSD-3-Clause"),
        ("GNU GENERAL PUBLIC LICENSE\n Version 3, 29 June 2007", "GPL-3.0-only"),
        ("For research only, ask us.\n\nMore text", "For research only, ask us."),
        ("\n \n", None),
    ],
)
def test_a_file_beside_the_model(tmp_path: Path, text: str, spdx: str | None) -> None:
    (tmp_path / "LICENSE").write_text(text)
    assert licence_of(tmp_path) == spdx


def test_the_model_is_believed_before_the_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text(MIT)
    assert licence_of(tmp_path, license="CC0-1.0") == "CC0-1.0"


def test_none(tmp_path: Path) -> None:
    assert licence_of(tmp_path) is None


def metadata(licence: str) -> bytes:
    """The flatbuffer that TFLite's metadata writer puts beside the graph: name first, licence sixth."""
    table = flatbuffers.Builder(64)
    name, text = table.CreateString("net"), table.CreateString(licence)
    table.StartObject(8)
    table.PrependUOffsetTRelativeSlot(0, name, 0)
    table.PrependUOffsetTRelativeSlot(5, text, 0)
    table.Finish(table.EndObject(), b"M001")
    return bytes(table.Output())


def test_tflite_metadata(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite(licence="MIT", metadata=metadata("Apache-2.0")))
    assert load_model(path).licence == "Apache-2.0"


def test_damaged_tflite_metadata(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite(metadata=b"\xff" * 40))
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


def test_tflite(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    path.write_bytes(tiny_tflite(licence="MIT"))
    assert load_model(path).licence == "MIT"
