"""The files that a contract names: inside its folder, UTF-8 where they are lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def read_named_files(path: Path, data: Mapping[str, object]) -> tuple[dict[str, bytes], list[str]]:
    """(content by name, one line per problem) of every file that the contract ``path`` with ``data`` names."""
    files: dict[str, bytes] = {}
    problems: list[str] = []
    for key, name in _named(data):
        content = _read(path.parent, name)
        if isinstance(content, str):
            problems.append(f"{path}: {key}: {content}")
        else:
            files[name] = content
            problems += [f"{path}: {key}: {problem}" for problem in _list_problems(key, name, content)]
    return files, problems


def _named(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """(key, file name), from the raw data so that files are also checked where another key is wrong."""
    output = data.get("output")
    keys = {"tokenizer": data.get("tokenizer")}
    if isinstance(output, Mapping):
        keys |= {f"output.{key}": output.get(key) for key in ("labels", "characters")}
    return [(key, name) for key, name in keys.items() if isinstance(name, str)]


def _read(folder: Path, name: str) -> bytes | str:
    """The file's content, or what is wrong with it."""
    try:
        path = (folder / name).resolve()
        if Path(name).is_absolute() or not path.is_relative_to(folder.resolve()):
            return f"'{name}' is outside the contract's folder; copy the file beside the contract"
        if not path.is_file():
            return f"no file '{name}' beside the contract"
        return path.read_bytes()
    except OSError as error:
        return f"'{name}' cannot be read: {error.strerror}"
    except ValueError:  # a null character
        return f"{name!r} is no file name"


def _list_problems(key: str, name: str, content: bytes) -> list[str]:
    if key == "tokenizer":
        return []
    try:
        entries = lines(content)
    except UnicodeDecodeError as error:
        return [f"'{name}' is not UTF-8 at byte {error.start}"]
    if key == "output.labels" and not (entries and all(line.strip() for line in entries)):
        return [f"'{name}' has an empty line or none; it needs one label a line"]
    if key == "output.characters" and not (entries and all(entries)):
        return [f"'{name}' has an empty line or none; it needs one character a line"]
    return []


def lines(content: bytes) -> list[str]:
    """Lines by newline alone: ``str.splitlines`` would break at U+2028 and U+0085, which are characters too."""
    found = [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]
    return found[:-1] if found[-1] == "" else found
