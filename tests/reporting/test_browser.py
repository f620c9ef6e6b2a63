"""The pages in a real browser: they load, sort, filter, and a checker of accessibility agrees."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from browser import PAGES, SCHEMES, TABLE, Browse, needs_chromium, opened

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    return opened(tmp_path_factory)


@pytest.fixture(scope="module")
def axe() -> str:
    """The checker of accessibility, axe-core, from the package that carries it."""
    for package in ("axe_core_python", "axe_playwright_python"):
        found = importlib.util.find_spec(package)
        for folder in (found and found.submodule_search_locations) or []:
            path = Path(folder) / "axe.min.js"
            if path.is_file():
                return path.read_text().replace("</script", "<\\/script")
    pytest.skip("axe-core is not installed: pip install axe-core-python")


@pytest.mark.parametrize("page", PAGES)
def test_pages_load_without_a_word_on_the_console(browse: Browse, page: str) -> None:
    found, console = browse(
        page,
        """return {requests: performance.getEntriesByType("resource").map((e) => e.name),
        wide: document.documentElement.scrollWidth - document.documentElement.clientWidth}""",
    )
    assert console == []
    assert [name for name in found["requests"] if not name.startswith("data:")] == []
    assert found["wide"] <= 0, "the page itself must not scroll sideways"


def test_tables_sort_by_number_and_by_word_and_back(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const first = () => [...table.tBodies[0].rows].map((row) => row.cells[0].textContent);
        const press = (label) => {
          const head = heads().find((h) => h.textContent.startsWith(label));
          head.querySelector("button").click();
          return [head.getAttribute("aria-sort"), first()];
        };
        return {start: first(), down: press("Runtime ms"), up: press("Runtime ms"),
          back: press("Runtime ms"), words: press("Layer"), foot: table.tFoot.textContent};""",
    )
    assert console == []
    execution = ["conv1", "relu1", "pool1", "conv2", "branch<b>", "join", "fc", "prob"]
    assert found["start"] == execution
    assert found["down"][0] == "descending"
    assert found["down"][1][:2] == ["conv2", "conv1"]
    assert found["down"][1][-1] == "prob"
    assert found["up"][0] == "ascending"
    assert found["up"][1][-2:] == ["conv2", "prob"]
    assert found["back"] == ["none", execution]
    assert found["words"] == ["ascending", sorted(execution)]
    assert "TOTAL" in found["foot"]


def test_rows_are_filtered_and_counted(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const input = document.querySelector('[data-filters="layers"]');
        input.value = "conv bra"; input.dispatchEvent(new Event("input", {bubbles: true}));
        const shown = [...table.tBodies[0].rows].filter((row) => !row.hidden);
        const text = input.closest(".tools").querySelector("output").textContent;
        return [shown.map((row) => row.cells[0].textContent), text, input.labels.length];""",
    )
    assert console == []
    assert found == [["branch<b>"], "1 of 8 rows", 1]


def test_the_picture_is_coloured_by_choice(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const box = () => {
          const one = [...document.querySelectorAll("#picture .box")]
            .find((b) => b.textContent.includes("conv2"));
          return [one.getAttribute("class"), one.querySelector(".p").textContent];
        };
        const key = () => document.querySelector(".key .of").textContent;
        const first = [box(), key(), document.querySelectorAll("#picture .none").length];
        await choose("metric", "runtime");
        const second = [box(), key()];
        await choose("platform", "plain");
        await choose("metric", "energy");
        return [first, second, [box(), key()]];""",
    )
    assert console == []
    # Batch 4 is the first; the picture's own colouring says the same as the script's.
    assert found[0] == [["box h6", "47.5 %"], "energy on board, per cent from:", 1]
    assert found[1] == [["box h6", "47.4 %"], "runtime on board, per cent from:"]
    assert found[2][1] == "runtime on plain, per cent from:", "plain has no energy"


def test_everything_that_acts_can_be_reached_by_keyboard_and_has_a_name(browse: Browse) -> None:
    found, _ = browse(
        "platforms/board.html",
        """
        const acting = document.querySelectorAll("a[href], button, input, select, summary");
        const unnamed = [...acting].filter((e) => !(e.textContent.trim() || e.labels?.length));
        const scrolling = [...document.querySelectorAll(".scroll")];
        return [unnamed.length, [...acting].filter((e) => e.tabIndex < 0).length,
          scrolling.every((e) => e.tabIndex === 0 && e.getAttribute("aria-label"))];""",
    )
    assert found == [0, 0, True]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing(browse: Browse, axe: str, page: str, scheme: str) -> None:
    found, _ = browse(
        page,
        axe
        + """
        const dark = matchMedia("(prefers-color-scheme: dark)").matches;
        const { violations, passes } = await axe.run(document, { resultTypes: ["violations"] });
        return {scheme: dark ? "dark" : "light", passes: passes.map((p) => p.id),
          bad: violations.map((v) => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])};""",
        scheme,
    )
    assert found["scheme"] == scheme
    assert found["bad"] == []
    assert {"color-contrast", "document-title"} <= set(found["passes"]), "axe has looked"
