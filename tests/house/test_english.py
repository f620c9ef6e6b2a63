"""Plain words wherever a person reads: pages, help, comments, names of variables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: What reads oddly to people who learnt English at school, and what to write.
AVOIDED = {
    r"told|tells|untold": "said, shown, known, listed, printed",
    r"stands": "is, means, takes the place of",
    r"earn(s|ed)": "gets, got",
    r"dear(er|est|ly)?": "expensive, slow",
    r"(leave|leaves|left|leaving) away": "dropped",
    r"passed over": "skipped, left out",
    r"of (its|their) own": "its own, separate",
    r"(one|a) (page|row|line|table|file|value|job|command|column) a "
    r"(network|platform|family|layer|row|rule|stage|file|class|size|visit)": "one per ...",
}
PLACES = ("src", "docs", "tests", "workflow", "tools", "benchmarks", "plugins", "config", "envs")
KINDS = {".py", ".md", ".smk", ".html", ".js", ".css", ".toml", ".yaml", ".sh", ".rst", ".c"}
TEXTS = [
    path
    for path in [*(p for place in PLACES for p in (ROOT / place).rglob("*")), *ROOT.glob("*.*")]
    if path.suffix in KINDS and path != Path(__file__) and ".egg-info" not in str(path)
]


@pytest.mark.parametrize("words", AVOIDED, ids=AVOIDED.values())
def test_words_that_read_oddly_stay_out(words: str) -> None:
    """Parts of names count (``rows_x``), parts of words do not."""
    pattern = re.compile(rf"(?<![a-z])({words})(?![a-z])", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in TEXTS
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, "\n".join(found)


def test_every_place_is_read() -> None:
    names = {path.relative_to(ROOT).parts[0] for path in TEXTS}
    assert {*PLACES, "README.md", "CHANGELOG.md"} - {"envs"} <= names
