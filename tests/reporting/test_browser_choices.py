"""What a reader can choose on a page, in a real browser: platforms, boxes, budgets, batches."""

from __future__ import annotations

import pytest
from browser import TABLE, Browse, needs_chromium, opened

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    return opened(tmp_path_factory)


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
          power: (set("runtime_ms", ""), set("energy_mj", ""), set("power_w", "100")),
          cool: set("power_w", "25"),
          figures: cards.map((c) => c.getAttribute("data-runtime_ms"))};""",
    )
    assert console == []
    assert found["none"] == [True, True]
    # 0.97 ms per image, from 0.78 to 1.26.
    *figures, least = found["figures"][0].split()
    assert [float(x) for x in figures] == pytest.approx([0.776, 0.97, 1.261])
    assert least == "least", "the softmax has no figure"
    assert [kind for kind, _ in found["tight"]] == ["no", "no"]
    # What has no figure comes on top, so that no budget is surely kept to.
    left_out = "may not fit {}: layers have no figure"
    assert found["near"][0] == ["maybe", left_out.format("1 ms")]
    assert found["wide"][0] == ["maybe", left_out.format("2 ms")]
    assert found["energy"][1] == [
        "unknown", f"{left_out.format('2 ms')}; 100 mJ: not measured here"
    ]  # fmt: skip
    assert found["power"][0] == ["yes", "fits 100 W"], "power is a mean"
    assert found["cool"][0] == ["maybe", "may fit 25 W: the interval holds it"]
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
