"""Two runs side by side: only what is beyond both intervals counts as moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_text import Tags
from results_doubles import write_results

from neuralpower.cli import main
from neuralpower.networks.moved import BEYOND, GONE, NEW, WITHIN, moved


def total(network: str, ms: float, lo: float, hi: float) -> dict[str, object]:
    row: dict[str, object] = {"network": network, "batch": 1.0}
    for target in ("power_w", "energy_mj"):
        row |= {f"{target}{end}": None for end in ("", "_lo", "_hi")}
    return row | {"runtime_ms": ms, "runtime_ms_lo": lo, "runtime_ms_hi": hi}


def test_what_either_interval_allows_is_no_change() -> None:
    before = [total("a", 10, 8, 12), total("b", 10, 9, 11), total("c", 10, 9, 11),
              total("gone", 1, 1, 1)]  # fmt: skip
    after = [total("a", 11.9, 11.5, 12.5), total("b", 13, 9.9, 14), total("c", 13, 12, 14),
             total("new", 1, 1, 1)]  # fmt: skip
    found = {row["network"]: row for row in moved("p", before, after)}
    assert {name: row["moved"] for name, row in found.items()} == {
        "a": WITHIN, "b": WITHIN, "c": BEYOND, "gone": GONE, "new": NEW,
    }  # fmt: skip
    assert found["c"]["change_percent"] == pytest.approx(30)
    assert found["new"]["change_percent"] is None
    assert next(iter(found)) == "c"


def test_the_page_is_there_when_asked_for(tmp_path: Path) -> None:
    old = write_results(tmp_path / "old" / "results")
    new = write_results(tmp_path / "new" / "results", ("small",))
    table = new / "predictions" / "board" / "small.csv"
    lines = table.read_text().splitlines()
    out = tmp_path / "report"
    assert main(["report", str(new), "--out", str(out)]) == 0
    assert not (out / "compared.html").exists()
    assert lines[0].startswith("network")
    assert main(["report", str(new), "--out", str(out), "--compare", str(old)]) == 0
    page = Tags((out / "compared.html").read_text())
    assert "0 of 24 predicted figures moved beyond their intervals." in page.text
    assert "gone" in page.text
    assert ("a", {"href": "networks/small.html"}) in page.tags
    assert "Two runs" in Tags((out / "networks" / "small.html").read_text()).text
    assert main(["report", str(new), "--out", str(out), "--compare", str(tmp_path / "no")]) == 2
