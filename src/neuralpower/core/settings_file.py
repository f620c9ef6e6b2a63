"""The configuration file as commands read it: a section of it each, after a look at all names."""

from __future__ import annotations

from pathlib import Path

from neuralpower.core.documents import read_yaml
from neuralpower.core.errors import InputError
from neuralpower.core.slips import meant

#: The keys that the workflow's schema allows.
SECTIONS = (
    "networks",
    "batch_sizes",
    "unknown_layers",
    "reading",
    "platforms",
    "profile",
    "fit",
    "gate",
    "sweep",
    "first_run",
)


def read_section(path: str | Path, section: str) -> object:
    """One section of a configuration file, ``None`` where it has none.

    Raises ``InputError`` for a file that is no mapping, and for a key that is no section: a
    misspelt one would be left out without a word.
    """
    value = read_yaml(path)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InputError("names of sections with their options are needed", path=path)
    for key in map(str, value):
        if key not in SECTIONS and key != section:
            likely = meant(key, SECTIONS)
            known = f"is it {likely}?" if likely else f"known are {', '.join(SECTIONS)}"
            raise InputError(f"no section {key!r} in a configuration: {known}", path=path)
    return value.get(section)
