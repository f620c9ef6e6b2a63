"""Texts that are compared with a stored file: what people read, byte for byte.

``NEURALPOWER_OVERWRITE_GOLDEN=1`` renews the files; the difference is then looked at in review.
"""

from __future__ import annotations

import os
from pathlib import Path

RENEW = "if this is meant, NEURALPOWER_OVERWRITE_GOLDEN=1 pytest of this file renews it"


def check(path: Path, text: str) -> None:
    """The text is that of the file; a fault names the first line that differs, and the remedy."""
    if os.environ.get("NEURALPOWER_OVERWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    expected = path.read_text(encoding="utf-8").splitlines()
    found = text.splitlines()
    for number, (ours, theirs) in enumerate(zip(found, expected, strict=False), 1):
        assert ours == theirs, f"{path.name}:{number}: {RENEW}"
    assert len(found) == len(expected), f"{path.name}: {RENEW}"
