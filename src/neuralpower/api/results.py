"""What the functions return: tables that print, show themselves in a notebook, and convert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas

Row = Mapping[str, Any]
#: Rows that a notebook shows of a long table.
_SHOWN = 60


class Table:
    """Rows with named columns; a missing value is None, never 0.

    Attributes
    ----------
    columns : tuple of str
        Names in order; units are in the names.
    rows : list of dict
    """

    columns: tuple[str, ...]
    rows: list[dict[str, Any]]

    def __init__(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self.columns = tuple(columns)
        self.rows = [dict(row) for row in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return self.rows[index]

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a ``pandas.DataFrame``; missing numbers are NaN."""
        import pandas

        return pandas.DataFrame([[row.get(c) for c in self.columns] for row in self.rows],
                                columns=list(self.columns))  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """The rows as JSON values: what ``--format json`` of the commands writes."""
        from neuralpower.core.json_tables import document

        return document(self.kind, self.columns, self.rows)

    #: The name of the table's schema (docs/formats.md).
    kind = "table"

    def _shown(self) -> tuple[list[str], list[bool], list[list[str]]]:
        """Headings, which of them are numbers, and the cells as a person reads them."""
        from neuralpower.networks.text import cell

        right = [all(isinstance(row.get(c), int | float | None) for row in self.rows)
                 for c in self.columns]  # fmt: skip
        return list(self.columns), right, [[cell(r.get(c)) for c in self.columns] for r in self]

    def _title(self) -> str:
        """What is above the table."""
        return ""

    def _note(self) -> str:
        """What is below it."""
        return ""

    def __repr__(self) -> str:
        from neuralpower.networks.text import table_text

        headings, right, cells = self._shown()
        return f"{self._title()}\n{table_text(headings, right, cells)}{self._note()}".strip()

    def _repr_html_(self) -> str:
        from html import escape

        headings, right, cells = self._shown()
        shown = [j for j in range(len(headings)) if any(row[j] for row in cells)]

        def line(tag: str, fields: Sequence[str]) -> str:
            aligned = {True: ' style="text-align:right"', False: ' style="text-align:left"'}
            return "<tr>" + "".join(
                f"<{tag}{aligned[right[j]]}>{escape(fields[j])}</{tag}>" for j in shown
            ) + "</tr>"  # fmt: skip

        body = [line("td", fields) for fields in cells]
        if len(body) > _SHOWN:
            left = len(body) - _SHOWN + 1
            body[_SHOWN - 1 : -1] = [
                f'<tr><td colspan="{len(shown)}">{left - 1} more rows</td></tr>'
            ]
        title, note = (
            f"<p>{escape(text)}</p>" if text else "" for text in (self._title(), self._note())
        )
        return f"{title}<table>{line('th', headings)}{''.join(body)}</table>{note}"


class Prediction(Table):
    """The prediction of one network at one batch size: a row for each layer, the total last.

    Attributes
    ----------
    network, platform : str
    batch : int or None
    runtime_ms, power_w, energy_mj : float or None
        The total of a forward pass of the whole batch: milliseconds, watts, millijoules; None
        where no layer has a model.
    coverage : str
        What the total covers, in words.
    """

    kind = "predictions"

    def __init__(self, platform: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        super().__init__(columns, rows)
        self.platform = platform

    @property
    def total(self) -> dict[str, Any]:
        """The last row."""
        return self.rows[-1]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The rows of the layers, in the order of execution."""
        return self.rows[:-1]

    @property
    def network(self) -> str:  # noqa: D102 - as of the class
        return str(self.total["network"])

    @property
    def batch(self) -> int | None:  # noqa: D102 - as of the class
        batch: int | None = self.total["batch"]
        return batch

    @property
    def runtime_ms(self) -> float | None:  # noqa: D102 - as of the class
        return self._total("runtime_ms")

    @property
    def power_w(self) -> float | None:  # noqa: D102 - as of the class
        return self._total("power_w")

    @property
    def energy_mj(self) -> float | None:  # noqa: D102 - as of the class
        return self._total("energy_mj")

    @property
    def coverage(self) -> str:  # noqa: D102 - as of the class
        return str(self.total["note"] or "")

    def interval(self, target: str = "runtime_ms") -> tuple[float, float] | None:
        """The 90 % interval of the total of ``runtime_ms``, ``power_w`` or ``energy_mj``."""
        low, high = self._total(f"{target}_lo"), self._total(f"{target}_hi")
        return None if low is None or high is None else (low, high)

    def _total(self, name: str) -> float | None:
        value: float | None = self.total[name]
        return value

    def _title(self) -> str:
        from neuralpower.networks.text import number

        parts = [
            f"{number(value)} {unit}"
            for value, unit in (
                (self.runtime_ms, "ms"), (self.power_w, "W"), (self.energy_mj, "mJ"),
            )
            if value is not None
        ]  # fmt: skip
        at = "" if self.batch is None else f" at batch {self.batch}"
        return f"{self.network}{at} on {self.platform}: {', '.join(parts) or 'no figures'}"

    def _note(self) -> str:
        return self.coverage

    def _shown(self) -> tuple[list[str], list[bool], list[list[str]]]:
        from neuralpower.networks.text import prediction_cells

        return prediction_cells(self.rows)


class Predictions(Table):
    """Predictions of several networks or batch sizes; iterate over them, or take one by index."""

    kind = "predictions"

    def __init__(self, parts: Sequence[Prediction]) -> None:
        super().__init__(parts[0].columns if parts else (), [row for p in parts for row in p.rows])
        self.parts = list(parts)

    def totals(self) -> Table:
        """The total of every network and batch size, a row each."""
        names = ("network", "batch", "runtime_ms", "runtime_ms_lo", "runtime_ms_hi", "power_w",
                 "energy_mj", "note")  # fmt: skip
        return Table(names, [part.total for part in self.parts])

    def __repr__(self) -> str:
        return "\n".join(f"{part._title()} ({part.coverage})" for part in self.parts)

    def _repr_html_(self) -> str:
        return self.totals()._repr_html_()


class Comparison(Table):
    """Networks side by side per image, in order of rank, at every batch size that was asked for."""

    kind = "comparison"

    def _shown(self) -> tuple[list[str], list[bool], list[list[str]]]:
        from neuralpower.networks.choosing import comparison_cells

        return comparison_cells(self.rows)


class Explanation(Table):
    """The layers that cost most, what bounds them and what a change of them would save.

    Attributes
    ----------
    sentences : list of str
        A line for each layer in words.
    """

    kind = "explanation"

    def __init__(self, columns: Sequence[str], rows: Sequence[Row]) -> None:
        super().__init__(columns, rows)
        from neuralpower.networks.explaining import sentences

        self.sentences = sentences(self.rows)

    def __repr__(self) -> str:
        return "\n".join(self.sentences)
