"""Everything that a page says and draws, against stored text.

The results are made up (``results_doubles``), those of the measurement page come from a fake GPU;
the stored texts were read when they were made.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import golden
import pytest
from page_text import lines_of
from results_doubles import write_results

from neuralpower.cli import main

PAGES = (
    "accuracy.html", "choosing.html", "glossary.html", "index.html", "measurements/board.html",
    "models/board.conv.html", "models/board.fc.html", "models/plain.fc.html",
    "networks/small.html", "platforms/board.html", "platforms/plain.html",
)  # fmt: skip

#: What is not the same tomorrow.
_CHANGING = [
    (re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z?| \d\d:\d\d)?"), "DATE"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "DIGEST"),
    (re.compile(r"neuralpower \d[\d.]*"), "neuralpower VERSION"),
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_results(tmp_path_factory.mktemp("golden") / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(Path(__file__).parents[1] / "profiling")
        from recorded_fake import record

        record(folder / "measurements" / "board", "--seed", "1", uuid="GPU-1", net=True)
    path = folder / "measurements" / "board" / "manifest.json"
    # Not the machine that runs the tests.
    path.write_text(json.dumps(json.loads(path.read_text()) | {"device": "a board of the tests"}))
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    return folder / "report"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_it_said(report: Path, page: str) -> None:
    text = lines_of((report / page).read_text(encoding="utf-8"))
    if page.startswith("measurements/"):
        # The rest is about the machine that runs the tests, and how long it took.
        text = text[text.index("<h2 id=how>") : text.index("<h2 id=time>")]
    for pattern, instead in _CHANGING:
        text = pattern.sub(instead, text)
    golden.check(Path(__file__).parent / "golden" / f"{page.replace('/', '.')}.txt", text)
