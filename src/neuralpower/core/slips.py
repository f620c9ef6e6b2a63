"""Which known word a misspelt one is: for messages that say what was perhaps meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: How alike two words are that are taken for one and a slip of it (``difflib``'s ratio).
CLOSE = 0.75


#: How alike a word is to one that is there too, to be taken for a slip of it: a letter or two.
BESIDE = 0.89


def meant(word: str, known: Iterable[str], close: float = CLOSE) -> str:
    """The known word that ``word`` probably is, empty where none is close.

    >>> meant("strid", ["kernel", "stride"])
    'stride'
    """
    from difflib import get_close_matches

    plain = word.strip().lower().replace("-", "_").replace(" ", "_")
    found = get_close_matches(plain, list(known), 1, close)
    return found[0] if found else ""


def header_slips(header: Sequence[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Names of ``header`` that are nearly those of known columns which it lacks, with those."""
    names = dict.fromkeys(known)
    found = [(name, meant(name, names)) for name in header if name not in names]
    return [(name, other) for name, other in found if other and other not in header]


def beside(header: Sequence[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Names of ``header`` that are nearly those of known columns which are there too, with those.

    >>> beside(["runtime_ms", "runtme_ms", "runtime_old"], ["runtime_ms"])
    [('runtme_ms', 'runtime_ms')]
    """
    names = dict.fromkeys(known)
    found = [(name, meant(name, names, BESIDE)) for name in header if name not in names]
    return [(name, other) for name, other in found if other in header]
