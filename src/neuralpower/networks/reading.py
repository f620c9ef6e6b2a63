"""How a network's file is read, where it does not say so itself: phase, stages, outside shapes.

Three places may say so, the later ones over the earlier ones: the network's entry in
``networks.yaml`` beside the file, the section ``reading`` of a configuration, the command line.
The keys are the same in both files::

    my_net:
      data_shape: 3x256x256            # one item of the data layers, before they crop it
      blob_shapes: {im_info: 1x3}      # blobs that come from outside the file
      phase: TRAIN                     # TEST where nothing is said
      stages: deploy                   # or a list
      level: 1
      assume_elementwise: true         # unknown types of one bottom and one top keep its shape
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from neuralpower.core.errors import InputError
from neuralpower.core.file_names import NETWORKS_FILE
from neuralpower.core.files import read_text
from neuralpower.core.network_files import network_name
from neuralpower.core.slips import meant

#: Beside the networks of a folder.
#: The section of a configuration.
SECTION = "reading"
PHASES = ("TRAIN", "TEST")
_SIZES = re.compile(r"[0-9]{1,10}(?:[x,][0-9]{1,10}){0,31}")


@dataclass(frozen=True)
class Reading:
    """What is said of one network; None where nothing is. Sizes as in Caffe, N x C x H x W."""

    phase: str | None = None
    stages: tuple[str, ...] | None = None
    level: int | None = None
    assume_elementwise: bool | None = None
    data_shape: tuple[int, ...] | None = None
    blob_shapes: tuple[tuple[str, tuple[int, ...]], ...] | None = None

    def over(self, other: Reading) -> Reading:
        """What is said here, and what ``other`` says where nothing is; blobs are put together."""
        values = {
            field.name: getattr(other if getattr(self, field.name) is None else self, field.name)
            for field in fields(self)
        }
        if self.blob_shapes and other.blob_shapes:
            both = {**dict(other.blob_shapes), **dict(self.blob_shapes)}
            values["blob_shapes"] = tuple(sorted(both.items()))
        return Reading(**values)

    def options(self) -> dict[str, Any]:
        """The arguments of ``caffe.network.load_network`` for what is said."""
        options = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        if "blob_shapes" in options:
            options["blob_shapes"] = dict(options["blob_shapes"])
        return options

    def as_facts(self) -> dict[str, object]:
        """What is said, in the form of the files."""
        facts: dict[str, Any] = self.options()
        if "stages" in facts:
            facts["stages"] = list(facts["stages"])
        if "data_shape" in facts:
            facts["data_shape"] = _text(facts["data_shape"])
        if "blob_shapes" in facts:
            shapes = facts["blob_shapes"].items()
            facts["blob_shapes"] = {name: _text(shape) for name, shape in sorted(shapes)}
        return facts


#: Nothing is said: the file is read by itself.
NOTHING = Reading()
KEYS = tuple(field.name for field in fields(Reading))
#: What ``networks.yaml`` may say of a network besides: what is published about it.
FACTS = (
    *("title", "paper", "dataset", "input", "top1_error", "top5_error", "error_protocol"),
    *("error_source", "params", "params_source", "params_tolerance_percent"),
    *("macs", "macs_source", "macs_tolerance_percent"),
)
#: Keys of facts, not of networks: first in an indented line, or in a map of one line.
_KEY = re.compile(r"^[ \t]+([A-Za-z][\w-]*)[ \t]*:(?=\s)", re.MULTILINE)
_ONE_LINE = re.compile(r"\{[^}\n]*")
_KEY_OF_ONE_LINE = re.compile(r"[{,][ \t]*([A-Za-z][\w-]*)[ \t]*:(?=\s)")


class Readings:
    """How networks are read, by file: asked for one, the three places are put together."""

    def __init__(self, config: str | Path | None = None, given: Reading | None = None) -> None:
        self._given = given or Reading()
        self._configured = {} if config is None else _section(config)
        self._beside: dict[Path, dict[str, object]] = {}

    def of(self, path: str | Path) -> Reading:
        """How the file is read; ``InputError`` where ``networks.yaml`` beside it is at fault."""
        name, folder = network_name(path), Path(path).parent
        file = folder / NETWORKS_FILE
        if folder not in self._beside:
            self._beside[folder] = _entries(file) if file.is_file() else {}
        facts = self._beside[folder].get(name)
        if isinstance(facts, dict):
            _refuse_slips(facts, name, file)
        own = read_facts(facts, name, file) if isinstance(facts, dict) else Reading()
        return self._given.over(self._configured.get(name, Reading())).over(own)


def _section(path: str | Path) -> dict[str, Reading]:
    from neuralpower.core.settings_file import read_section

    section = read_section(path, SECTION)
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise InputError(f"{SECTION}: names of networks with their options are needed", path=path)
    return {
        str(name): read_facts(facts, f"{SECTION}.{name}", path, strict=True)
        for name, facts in section.items()
    }


def _entries(path: Path) -> dict[str, object]:
    text = read_text(path)
    # Most say nothing of reading: loading YAML would be a quarter of the command's time.
    keys = set(_KEY.findall(text))
    keys.update(*map(_KEY_OF_ONE_LINE.findall, _ONE_LINE.findall(text)))
    others = keys.difference(FACTS)
    if "\\" not in text and not others and not any(key in text for key in KEYS):
        return {}
    from neuralpower.core.documents import parse_yaml

    value = parse_yaml(text, path)
    if value is not None and not isinstance(value, dict):
        raise InputError("names of networks with their facts are needed", path=path, line=1)
    return {str(name): facts for name, facts in (value or {}).items()}


def _refuse_slips(facts: Mapping[str, object], name: str, path: Path) -> None:
    """``InputError`` for a key that is nearly a known one; other keys are a reader's own."""
    for key in map(str, facts):
        if key not in KEYS and key not in FACTS and (likely := meant(key, (*KEYS, *FACTS))):
            raise InputError(f"{name}: unknown key {key!r} (is it {likely}?)", path=path)


def read_facts(facts: object, place: str, path: str | Path, *, strict: bool = False) -> Reading:
    """The reading among the facts of a network; ``strict`` refuses other keys.

    Raises ``InputError`` naming the file, the network and the key.
    """
    if not isinstance(facts, Mapping):
        raise InputError(f"{place}: options by name are needed ({', '.join(KEYS)})", path=path)
    if strict and (unknown := sorted(set(map(str, facts)) - set(KEYS))):
        raise InputError(
            f"{place}: unknown option {unknown[0]!r} (known: {', '.join(KEYS)})", path=path
        )
    readers = {
        "phase": _phase, "stages": _stages, "level": _level, "assume_elementwise": _switch,
        "data_shape": data_shape, "blob_shapes": _blob_shapes,
    }  # fmt: skip
    values: dict[str, Any] = {}
    for key, read in readers.items():
        if facts.get(key) is None:
            continue
        try:
            values[key] = read(facts[key])
        except ValueError as error:
            raise InputError(f"{place}.{key}: {error}", path=path) from None
    return Reading(**values)


def shape(text: object) -> tuple[int, ...]:
    """Sizes written as ``3x227x227``; ``ValueError`` for anything else."""
    if isinstance(text, int) and not isinstance(text, bool):
        text = str(text)
    if not isinstance(text, str) or not _SIZES.fullmatch(text):
        raise ValueError(f"{text!r} is no shape: write it as 3x227x227")
    return tuple(int(size) for size in re.split("[x,]", text))


def data_shape(text: object) -> tuple[int, ...]:
    """One item of the data layers, channels x height x width; ``ValueError`` for anything else."""
    sizes = shape(text)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"{text!r} is no item: channels x height x width")
    return sizes


def blob_shape(text: str) -> tuple[str, tuple[int, ...]]:
    """``NAME=DIMS`` as name and sizes (``scalar``: none); ``ValueError`` for anything else."""
    name, equals, sizes = text.rpartition("=")
    if not equals or not name:
        raise ValueError(f"{text!r}: write NAME=DIMS, as data=10x3x227x227")
    return name, _blob(sizes)


def _blob(text: object) -> tuple[int, ...]:
    return () if text == "scalar" else shape(text)


def _blob_shapes(value: object) -> tuple[tuple[str, tuple[int, ...]], ...]:
    if not isinstance(value, Mapping):
        raise ValueError("names of blobs with their shapes are needed, as {data: 1x3x224x224}")
    return tuple(sorted((str(name), _blob(sizes)) for name, sizes in value.items()))


def _phase(value: object) -> str:
    if value not in PHASES:
        raise ValueError(f"{value!r}: TRAIN or TEST is needed")
    return str(value)


def _stages(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise ValueError("the name of a stage, or a list of names, is needed")
    return tuple(names)


def _level(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 2**31:
        raise ValueError("a whole number is needed")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false is needed")
    return value


def _text(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes)) or "scalar"
