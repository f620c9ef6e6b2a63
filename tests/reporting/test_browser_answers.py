"""Answers to questions are found within two clicks of the first page, in a real browser."""

from __future__ import annotations

import posixpath
import re

import pytest
from browser import Browse, needs_chromium, opened

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    return opened(tmp_path_factory)


#: What a visible page says under a heading that holds a text, and where its visible links lead.
READ = """
await new Promise((done) => setTimeout(done, 300));
const seen = (node) => node.offsetParent !== null && node.getClientRects().length > 0;
const links = [...document.querySelectorAll("main a, header a")].filter(seen)
  .map((a) => [a.textContent.trim(), a.getAttribute("href")]);
const parts = {};
let head = "";
const walk = (node) => {
  for (const child of node.children) {
    if (!seen(child) && child.tagName !== "SECTION") continue;
    if (/^H[1-6]$/.test(child.tagName)) { head = child.textContent.trim(); parts[head] ??= ""; }
    else if (child.querySelector("h1, h2, h3, h4")) walk(child);
    else parts[head] = (parts[head] ?? "") + " " + child.innerText.replace(/\\s+/g, " ");
  }
};
walk(document.querySelector("main"));
return {links, parts};
"""


@pytest.mark.parametrize(
    ("question", "clicks", "heading", "answer"),
    [
        ("the costliest layer of a network", ["small"], "board", r"Costliest: \S+ takes"),
        ("what to change in it", ["small"], "On board", r"half the outputs [\d.]+ [\d.]+"),
        (
            "the energy of every network",
            [],
            "Networks",
            r"mJ per image.* small (≥ )?[\d.]+ [\d.]+ (≥ )?[\d.]+",
        ),
        (
            "how accurate whole networks are",
            ["Accuracy"],
            "Whole networks",
            r"board runtime \d+ [\d.]+",
        ),
        ("how accurate a platform is", ["board"], "How accurate: runtime of layers", r"conv \d+"),
        ("how it was measured", ["how"], "What was measured, on what", r"Device \S+"),
        ("the cheapest network for an error", ["Choosing"], "Cheapest for an error", r"8 % \w+"),
        (
            "what drives a layer's cost",
            ["Accuracy", "fc"],
            "What drives the runtime",
            r"batch 16 1 64 2.00",
        ),
    ],
)
def test_an_answer_is_found_within_two_clicks_of_the_first_page(
    browse: Browse, question: str, clicks: list[str], heading: str, answer: str
) -> None:
    assert len(clicks) <= 2, question
    page = "index.html"
    found, _ = browse(page, READ)
    for click in clicks:
        href = next(href for text, href in found["links"] if text == click)
        page = posixpath.normpath(posixpath.join(posixpath.dirname(page), href.split("#")[0]))
        found, _ = browse(page, READ)
    assert heading in found["parts"], (question, list(found["parts"]))
    assert re.search(answer, found["parts"][heading]), (question, found["parts"][heading][:500])
