"""The files that a contract names: inside its folder, UTF-8 where they are lists."""

from __future__ import annotations

import difflib
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
    if not problems:
        problems += [f"{path}: output.skeleton: {problem}" for problem in _skeleton_problems(data, files)]
    return files, problems


def _named(data: Mapping[str, object]) -> list[tuple[str, str]]:
    """(key, file name), from the raw data so that files are also checked where another key is wrong."""
    output = data.get("output")
    keys = {"tokenizer": data.get("tokenizer")}
    if isinstance(output, Mapping):
        keys |= {f"output.{key}": output.get(key) for key in ("labels", "characters", "keypoints")}
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
    if key == "output.keypoints":
        return _keypoint_problems(name, [line.strip() for line in entries])
    return []


def _keypoint_problems(name: str, entries: list[str]) -> list[str]:
    if not (entries and all(entries)):
        return [f"'{name}' has an empty line or none; it needs the name of one point a line"]
    twice = sorted({entry for entry in entries if entries.count(entry) > 1})
    return [f"'{name}' names two points '{entry}'" for entry in twice]


def _skeleton_problems(data: Mapping[str, object], files: Mapping[str, bytes]) -> list[str]:
    """Ends of lines that are no points of the file; what is no list of pairs is the schema's to say."""
    output = data.get("output")
    if not isinstance(output, Mapping) or not isinstance(name := output.get("keypoints"), str):
        return []
    known = [line.strip() for line in lines(files[name])]
    pairs = output.get("skeleton", [])
    ends = (
        [end for pair in pairs if isinstance(pair, list) for end in pair] if isinstance(pairs, list) else []
    )
    unknown = sorted({end for end in ends if isinstance(end, str) and end not in known})
    return [f"'{end}' is no point of '{name}'{_near_miss(end, known)}" for end in unknown]


def _near_miss(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean '{near[0]}'?" if near else ""


def lines(content: bytes) -> list[str]:
    """Lines by newline alone: ``str.splitlines`` would break at U+2028 and U+0085, which are characters too."""
    found = [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]
    return found[:-1] if found[-1] == "" else found
