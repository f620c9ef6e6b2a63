"""Predictions of many networks on one platform: a table each, and one of all totals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from neuralpower.core.cells import Row
from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import csv_text
from neuralpower.core.made import MadeFolder, key_of
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import predict_networks
from neuralpower.networks.estimates import Models
from neuralpower.networks.overview import Listed
from neuralpower.networks.text import TOTAL


def predict_listed(
    listed: Sequence[Listed],
    batches: Sequence[int],
    models: Models,
    composition: Composition,
    out: str | Path,
    *,
    made_of: str = "",
) -> list[dict[str, object]]:
    """Write ``<network>.csv`` of every network that could be read; returns the total rows.

    A network that cannot be predicted at a batch size has a total row without figures there,
    whose note says why. A table is made again only when its network, the batch sizes or
    ``made_of`` (models, composition, code) has changed.
    """
    tables = MadeFolder(Path(out))
    totals: list[dict[str, object]] = []
    for entry in listed:
        if entry.refused:
            continue
        name = f"{entry.network}.csv"
        key = key_of(made_of, entry.sha256, entry.reading.as_facts(), list(batches))
        own = tables.kept(name, key)
        if own is None:
            rows = _rows(entry, batches, models, composition)
            own = [row for row in rows if row["name"] == TOTAL and row.get("index") is None]
            tables.write(name, key, csv_text(PREDICTION_COLUMNS, rows), own)
        totals += own
    tables.close()
    return totals


def _rows(
    entry: Listed, batches: Sequence[int], models: Models, composition: Composition
) -> list[Row]:
    from neuralpower.onnx_in.loading import load_network

    networks, faults = [], []
    for batch in batches or (None,):
        try:
            networks.append(load_network(entry.file, batch=batch, **entry.reading.options()))
        except InputError as error:
            note = f"cannot be set up at this batch size: {error.message}"
            faults.append(
                {
                    "network": entry.network, "name": TOTAL, "batch": batch, "source": "none",
                    "note": note,
                }
            )  # fmt: skip
    rows = predict_networks(networks, models, composition) if networks else []
    return [*rows, *faults]
