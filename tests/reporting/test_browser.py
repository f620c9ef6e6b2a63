"""The pages in a real browser: headless Chromium, skipped with a message where there is none."""

from __future__ import annotations

import html
import importlib.util
import json
import posixpath
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest
from results_doubles import write_results

from neuralpower.cli import main
from neuralpower.core.files import read_rows, write_table

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=2000", "--enable-logging=stderr",
)  # fmt: skip

#: Blink's numbers of the colour schemes that a reader can prefer.
SCHEMES = {"dark": 0, "light": 1}
RECORDED = Path(__file__).parents[2] / "measurements" / "ort-cpu"


class Browse(Protocol):
    def __call__(self, page: str, script: str, scheme: str = "light") -> tuple[Any, list[str]]: ...


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """Open a page, run a script on it, and return what it found and the console's messages.

    The script is the body of an async function.
    """
    folder = write_results(tmp_path_factory.mktemp("browser") / "results")
    measurements = folder / "measurements"
    # A board with power, windows and flags (of the profiler's tests), and a processor without.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "profiling")
    from recorded_fake import record

    record(folder.parent / "board", "--seed", "1", uuid="GPU-1", net=True)
    shutil.copytree(folder.parent / "board", measurements / "board")
    shutil.copytree(RECORDED, measurements / "plain", dirs_exist_ok=True)
    monkeypatch.undo()
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    # The same without other batch sizes than the first on one platform.
    few = folder.parent / "few"
    shutil.copytree(folder, few)
    for path in (few / "predictions" / "board").glob("*.csv"):
        header, rows = read_rows(path)
        write_table(path, header, [row for row in rows if row["batch"] == "1"])
    assert main(["report", str(few), "--out", str(folder / "few")]) == 0

    def run(page: str, script: str, scheme: str = "light") -> tuple[Any, list[str]]:
        path = folder / "report" / page
        text = path.read_text()
        found = (
            f"<script>(async () => {{{script}}})().then((found) => {{"
            "document.body.dataset.found = JSON.stringify(found); })</script>"
        )
        copy = path.with_name(f"tried-{path.name}")
        copy.write_text(text.replace("</body>", f"{found}</body>"))
        done = subprocess.run(
            [
                str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
                "--dump-dom", copy.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        match = re.search(r'<body data-found="([^"]*)"', done.stdout)
        assert match, done.stderr[-2000:]
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return json.loads(html.unescape(match[1])), console

    return run


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


TABLE = """
const table = document.getElementById("layers");
const heads = () => [...table.tHead.rows[table.tHead.rows.length - 1].cells];
const column = (label) => heads().findIndex((head) => head.textContent === label);
const pause = (ms = 300) => new Promise((done) => setTimeout(done, ms));
const choose = async (name, value) => {
  const select = document.querySelector(`[data-switch="${name}"]`);
  select.value = value; select.dispatchEvent(new Event("change")); await pause();
};
await pause();
"""


PAGES = (
    "index.html",
    "accuracy.html",
    "choosing.html",
    "glossary.html",
    "networks/small.html",
    "platforms/board.html",
    "models/board.conv.html",
    "models/board.fc.html",
    "measurements/board.html",
    "measurements/plain.html",
)


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


def test_the_layers_of_one_platform_or_of_two_are_shown(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const look = () => ({
          groups: [...table.tHead.rows[0].cells].map((c) => [c.textContent, c.colSpan])
            .filter(([text]) => text),
          heads: heads().map((h) => h.textContent),
          row: [...table.tBodies[0].rows[3].cells].map((c) => c.textContent),
          foot: [...table.tFoot.rows[0].cells].map((c) => c.textContent),
          changes: [...document.querySelectorAll("[id^=changes-]")]
            .filter((t) => t.offsetParent).map((t) => t.id),
        });
        const before = look();
        await choose("platform", "plain");
        const plain = look();
        await choose("other", "board");
        const both = look();
        await choose("other", "");
        await choose("platform", "board");
        return {before, plain, both, again: look(),
          kept: localStorage.getItem("neuralpower.platform")};""",
    )
    assert console == []
    names = ["Runtime ms", "Runtime %", "Energy mJ", "Energy %", "Power W", "Runtime, 90 %",
             "Energy, 90 %", "Trust"]  # fmt: skip
    assert found["before"] == found["again"], "the script's table is the page's own"
    assert found["before"]["heads"][:9] == ["Layer", *names]
    assert found["before"]["row"][:4] == ["conv2", "1.84", "47.4", "42.3"]
    assert found["plain"]["groups"] == [["plain, batch 4", 4]]
    assert found["plain"]["heads"][1:5] == ["Runtime ms", "Runtime %", "Runtime, 90 %", "Trust"]
    assert found["both"]["groups"] == [["plain, batch 4", 4], ["board, batch 4", 8]]
    assert found["both"]["row"][0:3] == ["conv2", "1.84", "47.4"]
    assert found["both"]["row"][5:8] == ["1.84", "47.4", "42.3"]
    assert found["both"]["foot"][:3] == ["TOTAL", "3.88", "100"]
    assert found["plain"]["changes"] == ["changes-plain"]
    assert found["both"]["changes"] == ["changes-board", "changes-plain"]
    assert found["kept"] == "board"


def test_a_box_leads_to_its_row_and_back_by_mouse_and_keyboard(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const boxes = [...document.querySelectorAll("#picture .box")];
        boxes[0].focus();
        const key = (key) => document.activeElement.dispatchEvent(
          new KeyboardEvent("keydown", {key, bubbles: true}));
        key("ArrowDown"); key("ArrowDown");
        const focused = document.activeElement;
        const row = document.querySelector(focused.getAttribute("href"));
        const back = row.cells[0].querySelector("a").getAttribute("href");
        const wide = () => document.querySelector("#picture").getBoundingClientRect().width;
        const before = wide();
        document.querySelector('[data-zoom="in"]').click();
        return {tabs: boxes.filter((b) => b.tabIndex === 0).length, focused: focused.id, back,
          layer: row.cells[0].textContent, larger: wide() / before,
          relu: document.getElementById("l1").cells[0].querySelector("a").hash};""",
    )
    assert console == []
    assert found["tabs"] == 1
    assert found["back"] == f"#{found['focused']}"
    assert found["layer"] == "conv2"
    assert found["larger"] == pytest.approx(1.25, abs=0.02)
    assert found["relu"] == "#b0", "the ReLU works in place on conv1"


def test_a_budget_is_judged_by_the_interval_and_kept_in_the_address(browse: Browse) -> None:
    found, console = browse(
        "networks/small.html",
        TABLE
        + """
        const cards = [...document.querySelectorAll(".card")];
        const set = (name, value) => {
          const input = document.querySelector(`[data-budget="${name}"]`);
          input.value = value; input.dispatchEvent(new Event("input"));
          return cards.map((c) => [c.querySelector(".verdict").dataset.verdict,
            c.querySelector(".verdict").textContent]);
        };
        const none = cards.map((c) => c.querySelector(".verdict").hidden);
        return {none, tight: set("runtime_ms", "0.5"), near: set("runtime_ms", "1"),
          wide: set("runtime_ms", "2"), energy: set("energy_mj", "100"), hash: location.hash,
          figures: cards.map((c) => c.getAttribute("data-runtime_ms"))};""",
    )
    assert console == []
    assert found["none"] == [True, True]
    # 0.97 ms per image, from 0.78 to 1.26.
    assert [float(x) for x in found["figures"][0].split()] == pytest.approx([0.776, 0.97, 1.261])
    assert [kind for kind, _ in found["tight"]] == ["no", "no"]
    assert found["near"][0] == ["maybe", "may fit 1 ms: the interval holds it"]
    assert found["wide"][0] == ["yes", "fits 2 ms"]
    assert found["energy"][1] == ["unknown", "fits 2 ms; 100 mJ: not measured here"]
    assert found["hash"] == "#runtime_ms=2&energy_mj=100"


def test_like_is_compared_with_like_by_choice(browse: Browse) -> None:
    found, console = browse(
        "choosing.html",
        TABLE
        + """
        const look = () => ({
          head: document.querySelector("#shown h2").textContent,
          first: document.querySelector("#choosing tbody tr").textContent.trim(),
          heads: [...document.querySelectorAll("#choosing thead th")].map((h) => h.textContent),
          words: document.querySelector("#shown section p").textContent,
        });
        const before = look();
        await choose("set", "D, top-1 error");
        await choose("batch", "16");
        const other = look();
        await choose("platform", "plain");
        const plain = look();
        document.querySelector("#choosing thead button").click();
        const sorted = document.querySelector("#choosing thead th").getAttribute("aria-sort");
        return {before, other, plain, sorted,
          options: [...document.querySelectorAll("[data-switch=batch] option")]
            .map((o) => o.value)};
        """,
    )
    assert console == []
    assert found["before"]["head"] == "D, top-5 error on board, each network at its best batch size"
    assert found["before"]["words"].startswith(
        "small is cheapest: cheaper than wide with more than 99"
    )
    assert "EPR, α = 1, J" in found["before"]["heads"]
    assert found["other"]["head"] == "D, top-1 error on board, batch 16"
    assert found["plain"]["head"] == "D, top-1 error on plain, batch 16"
    assert found["plain"]["words"].startswith("Compared by runtime; energy: not measured")
    assert "error^1 × runtime, ms" in found["plain"]["heads"]
    assert not any("EPR" in head for head in found["plain"]["heads"])
    assert found["sorted"] == "ascending"
    assert found["options"] == ["each at its best", "1", "4", "16"]


def test_a_choice_that_was_not_compared_gives_way_to_one_that_was(browse: Browse) -> None:
    found, console = browse(
        "../few/choosing.html",
        TABLE
        + """
        const look = () => ({
          head: document.querySelector("#shown h2").textContent,
          batch: document.querySelector("[data-switch=batch]").value,
          open: [...document.querySelectorAll("[data-switch=batch] option:enabled")]
            .map((o) => o.value),
        });
        const first = look();
        await choose("platform", "plain");
        return [first, look()];
        """,
    )
    assert console == []
    first, other = found
    assert first == {"head": "D, top-5 error on board, batch 1", "batch": "1", "open": ["1"]}
    assert other["open"] == ["each at its best", "1", "4", "16"]
    assert other["head"] == "D, top-5 error on plain, batch 1"


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
