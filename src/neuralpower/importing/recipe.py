"""``published/<platform>/recipe.yaml``: where measurements are and what their columns mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuralpower.core.documents import read_yaml
from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILIES, POOL_METHODS
from neuralpower.core.files import safe_name
from neuralpower.importing.formulas import Formula
from neuralpower.importing.mapped_table import SIZES

FILE = "recipe.yaml"
READERS = ("torch layers", "torch networks", "table")
FIGURES = ("runtime_ms", "power_w", "energy_mj")
#: Larger sources are not fetched: the sets that are known have kilobytes to a few megabytes.
MOST_BYTES = 200_000_000
_COMMIT = re.compile(r"[0-9a-f]{40}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REPOSITORY = re.compile(r"https://github\.com/([A-Za-z0-9_.-]+)/([A-Za-z0-9_.-]+)")


@dataclass(frozen=True)
class SourceFile:
    """One file of a set: where it is in the repository, its bytes, and how it is read."""

    path: str
    bytes: int
    sha256: str
    reader: str
    columns: Mapping[str, Formula]
    fields: tuple[str, ...] = ()
    family: str = ""
    pool_method: str = ""


@dataclass(frozen=True)
class Source:
    """Who measured: a repository at a commit, with what is to be cited.

    ``converted``: the recipe's files are our conversion of the source, which its repository does
    not hold.
    """

    title: str
    authors: str
    repository: str
    commit: str
    licence: str
    converted: bool = False

    @property
    def raw_url(self) -> str:
        """Where the repository's host serves files of the commit, without a slash at the end."""
        owner, name = self.owner_and_name
        return f"https://raw.githubusercontent.com/{owner}/{name}/{self.commit}"

    @property
    def owner_and_name(self) -> tuple[str, str]:
        """The repository's owner and name."""
        match = _REPOSITORY.fullmatch(self.repository)
        if match is None:
            raise InputError(f"{self.repository!r} is no repository of GitHub")
        return match[1], match[2]


@dataclass(frozen=True)
class Recipe:
    """A published platform: what was measured, by whom, on what, and how to read it.

    ``batch_sizes``: the few that were measured, empty where there are many. ``in_report``: shown
    with ``platforms: all``. ``facts`` are entries that the manifest takes over: ``sensor``,
    ``precision``, ``traps``; ``peak_gflops`` and ``bandwidth_gb_s`` of the data sheet;
    ``power_cap_w`` and ``idle_power_w``, which bound what the board can draw; ``included``,
    families that another family's rows already hold (``{scale: batchnorm}``); ``power_reason``,
    why there is no power.
    """

    name: str
    title: str
    device: str
    software: str
    description: str
    source: Source
    files: tuple[SourceFile, ...]
    batch_sizes: tuple[int, ...]
    in_report: bool
    facts: Mapping[str, Any]


_REQUIRED = ("title", "device", "software", "description", "source", "files")
_FACTS: Mapping[str, type | tuple[type, ...]] = {
    "sensor": str,
    "precision": str,
    "traps": list,
    "peak_gflops": (int, float),
    "bandwidth_gb_s": (int, float),
    "power_cap_w": (int, float),
    "idle_power_w": (int, float),
    "included": dict,
    "power_reason": str,
}


def load_recipe(folder: str | Path) -> Recipe:
    """The recipe of a published platform's folder.

    Raises ``InputError`` with the file for YAML that is none, an unknown or a missing entry, a
    path that leaves the repository, a checksum that is none, or a formula outside the fixed set.
    """
    path = Path(folder) / FILE
    value = read_yaml(path)
    try:
        return _recipe(safe_name(Path(folder).resolve().name, "platform"), value)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise InputError(f"not a recipe: {what}", path=path) from None
    except InputError as error:
        raise InputError(error.message, path=path) from None


def _recipe(name: str, value: object) -> Recipe:
    if not isinstance(value, dict):
        raise ValueError("a mapping is needed")
    known = {*_REQUIRED, *_FACTS, "batch_sizes", "in_report"}
    if unknown := sorted(set(map(str, value)) - known):
        raise ValueError(f"unknown entry {unknown[0]!r}")
    for key, kind in _FACTS.items():
        if key in value and (isinstance(value[key], bool) or not isinstance(value[key], kind)):
            raise ValueError(f"{key}: {value[key]!r} is of another kind")
    for trap in value.get("traps", ()):
        _text({"traps": trap}, "traps")
    for key, inside in (value.get("included") or {}).items():
        if key not in FAMILIES or inside not in FAMILIES:
            raise ValueError(f"included: {key}: {inside} are not two layer families")
    return Recipe(
        name=name,
        title=_text(value, "title"),
        device=_text(value, "device"),
        software=_text(value, "software"),
        description=_text(value, "description"),
        source=_source(value["source"]),
        files=tuple(_file(entry) for entry in value["files"]),
        batch_sizes=tuple(_whole(size, "batch_sizes", 1) for size in value.get("batch_sizes", ())),
        in_report=_flag(value.get("in_report", True), "in_report"),
        facts={key: value[key] for key in _FACTS if key in value},
    )


def _source(value: Any) -> Source:
    known = ("title", "authors", "repository", "commit", "licence")
    if unknown := set(value) - {*known, "converted"}:
        raise ValueError(f"source: unknown entry {sorted(map(str, unknown))[0]!r}")
    texts = {key: _text(value, key) for key in known}
    source = Source(**texts, converted=_flag(value.get("converted", False), "converted"))
    if not _COMMIT.fullmatch(source.commit):
        raise ValueError(f"commit {source.commit!r} is not 40 hexadecimal digits")
    assert source.owner_and_name
    return source


def _file(value: Any) -> SourceFile:
    if unknown := set(value) - {
        *("path", "bytes", "sha256", "reader", "columns", "fields", "family", "pool_method")
    }:
        raise ValueError(f"a file has an unknown entry {sorted(map(str, unknown))[0]!r}")
    path = _text(value, "path")
    for part in path.split("/"):
        safe_name(part, "part of a path")
    digest, reader = _text(value, "sha256"), _text(value, "reader")
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"{path}: sha256 {digest!r} is not 64 hexadecimal digits")
    if reader not in READERS:
        raise ValueError(f"{path}: reader {reader!r} is none of {', '.join(READERS)}")
    columns = {str(key): Formula.read(entry) for key, entry in value["columns"].items()}
    if unknown := set(columns) - {*FIGURES, *(SIZES if reader == "table" else ())}:
        raise ValueError(f"{path}: unknown column {sorted(unknown)[0]!r}")
    if "runtime_ms" not in columns:
        raise ValueError(f"{path}: runtime_ms has no formula")
    family, method = str(value.get("family", "")), str(value.get("pool_method", ""))
    if reader == "table" and family not in FAMILIES:
        raise ValueError(f"{path}: {family!r} is not a layer family")
    if (family == "pool") != (method in POOL_METHODS) or (method and family != "pool"):
        raise ValueError(f"{path}: pool_method {method!r} does not go with family {family!r}")
    return SourceFile(
        path=path,
        bytes=_whole(value["bytes"], "bytes", 1),
        sha256=digest,
        reader=reader,
        columns=columns,
        fields=tuple(_text({"fields": name}, "fields") for name in value.get("fields", ())),
        family=family,
        pool_method=method,
    )


def _text(value: Any, key: str) -> str:
    text = value[key]
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{key}: a text is needed")
    return " ".join(text.split())


def _flag(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key}: {value!r} is not true or false")
    return value


def _whole(value: object, key: str, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= MOST_BYTES:
        raise ValueError(f"{key}: {value!r} is not a whole number from {least} to {MOST_BYTES}")
    return value
