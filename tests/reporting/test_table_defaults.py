"""Tables of a page: what can be sorted, how columns are grouped, which look alike."""

from __future__ import annotations

from pathlib import Path

from page_text import Tags
from results_doubles import write_results

from neuralpower.cli import main
from neuralpower.reporting.tables import Column, Table, figure, word


def test_tables_of_a_report_can_be_sorted_by_their_headings(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 0
    page = Tags((tmp_path / "report" / "networks" / "small.html").read_text())
    layers = next(a for tag, a in page.tags if tag == "table" and a.get("id") == "layers")
    assert "data-sortable" in layers


def test_columns_are_grouped_in_their_order() -> None:
    columns = [Column("a", False), Column("b", group="x"), Column("c", group="x"), Column("d")]
    rows = [[word("n"), figure(1.0), figure(2.0), figure(3.0)]]
    table = Table("t", "T", "caption", columns, rows)
    assert table.groups == [("", 1), ("x", 2), ("", 1)]
    assert table.sortable
    assert not table.filterable
    assert Table("t", "T", "caption", [Column("a")], []).groups == []
