"""Which known word a misspelt one is: for messages that say what was perhaps meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: How alike two words are that are taken for one and a slip of it (``difflib``'s ratio).
CLOSE = 0.75


def meant(word: str, known: Iterable[str]) -> str:
    """The known word that ``word`` probably is, empty where none is close.

    >>> meant("strid", ["kernel", "stride"])
    'stride'
    """
    from difflib import get_close_matches

    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    found = get_close_matches(plain, list(known), 1, CLOSE)
    return found[0] if found else ""


def header_slips(header: Sequence[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Names of ``header`` that are nearly those of known columns which it lacks, with those."""
    names = dict.fromkeys(known)
    found = [(name, meant(name, names)) for name in header if name not in names]
    return [(name, other) for name, other in found if other and other not in header]
