"""A profile of TensorRT's ``trtexec --exportProfile``, with ``--exportLayerInfo`` where given.

The profile is a list: the number of runs first, then a row with name and mean (and median) time
each. Names of fused layers are joined by `` + ``, of layers in one kernel by `` || ``.
Rows that reformat or copy data are no layers; they are marked and booked apart.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.importing.logs.timings import TimedRow, Timing, milliseconds, read_document

_MOVES = re.compile(
    r".* (input|output) reformatter \d+|.* copy|Reformatting CopyNode.*|.*reformat.*", re.IGNORECASE
)
_ONNX = re.compile(r"\[ONNX Layer: ([^\]|\x1e]+?)\s*(?:[|\x1e][^\]]*)?\]")


def read_trtexec(path: str | Path, layer_info: str | Path | None = None) -> Timing:
    """The rows of a profile, medians where it has them. ``layer_info`` names the ONNX operators."""
    document = read_document(path, "a profile of trtexec")
    if not isinstance(document, list) or not all(isinstance(entry, dict) for entry in document):
        raise InputError("no profile of trtexec: a list of objects is needed", path=path)
    entries: list[Mapping[str, object]] = document
    runs = next((e["count"] for e in entries if set(e) == {"count"}), 0)
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        raise InputError('no profile of trtexec: the entry {"count": runs} is missing', path=path)
    known = {} if layer_info is None else _operators(layer_info)
    rows: list[TimedRow] = []
    medians = all("medianMs" in e for e in entries if "name" in e)
    for number, entry in enumerate(entries, 1):
        if "name" not in entry:
            continue
        name = str(entry["name"])
        time = milliseconds(entry.get("medianMs" if medians else "averageMs"), path, number)
        moves = _MOVES.fullmatch(name) is not None
        rows.append(TimedRow(name, time, runs, number, known.get(name, ()), moves=moves))
    if not rows:
        raise InputError("no layer times in it", path=path)
    return Timing(
        rows,
        runs,
        "trtexec",
        whole_ms=sum(row.runtime_ms for row in rows),
        basis="sum of the rows, reformatting included",
        facts={"runs": runs, "statistic": "median" if medians else "mean"},
    )


def _operators(path: str | Path) -> dict[str, tuple[str, ...]]:
    document = read_document(path, "a file of trtexec --exportLayerInfo")
    layers = document.get("Layers") if isinstance(document, dict) else None
    if not isinstance(layers, list):
        raise InputError("no layer information of trtexec: it has no Layers", path=path)
    found: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        if isinstance(layer, dict) and isinstance(layer.get("Name"), str):
            names = _ONNX.findall(str(layer.get("Metadata", "")))
            found[layer["Name"]] = tuple(dict.fromkeys(names))
    return found
