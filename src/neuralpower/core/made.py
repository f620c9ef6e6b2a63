"""A folder of files that one command makes, each again only when what it is made of has changed.

Starting Python takes longer than most of these files: one job makes all of them, and a file more
costs that file alone. What each was made of is in ``.made.json`` in the folder, which is written
last: after a kill, a file that is not in it is made again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name, sha256_file, write_json, write_text

FILE = ".made.json"


def key_of(*parts: object) -> str:
    """A fingerprint of what a file is made of."""
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()


@dataclass
class MadeFolder:
    """``facts`` of a file are what the command needs to know of it without reading it again."""

    folder: Path
    _before: dict[str, object] = field(default_factory=dict)
    _now: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        try:
            self._before = read_json(self.folder / FILE)
        except InputError:
            self._before = {}

    def kept(self, name: str, key: str) -> Any:
        """The facts of a file that is as it was made of the same, else None."""
        entry = self._before.get(name)
        if not isinstance(entry, dict) or entry.get("key") != key:
            return None
        path = self.folder / name
        if not path.is_file() or sha256_file(path) != entry.get("sha256"):
            return None
        self._now[name] = entry
        return entry.get("facts")

    def write(self, name: str, key: str, text: str, facts: object) -> None:
        """Make a file, whole or not at all."""
        path = self.folder / safe_name(name, "file")
        write_text(path, text)
        self._now[name] = {"key": key, "sha256": sha256_file(path), "facts": facts}

    def close(self) -> None:
        """Remove the files of earlier calls that were not asked for again."""
        for name in sorted(self._before.keys() - self._now.keys()):
            (self.folder / safe_name(name, "file")).unlink(missing_ok=True)
        write_json(self.folder / FILE, self._now)
