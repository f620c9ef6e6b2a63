"""A small results folder with every kind of table, for the tests of the pages.

The figures are made up by formulas: they test pages and describe no device.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, LAYER_COLUMNS, PREDICTION_COLUMNS
from neuralpower.core.files import write_json, write_table, write_text
from neuralpower.modeling.bands import Interval
from neuralpower.modeling.members import Anchor, Equation
from neuralpower.modeling.models import Model
from neuralpower.modeling.terms import Factor
from neuralpower.networks.explaining import COLUMNS as CHANGE_COLUMNS
from neuralpower.scoring.learning_curve import COLUMNS as LEARNING_COLUMNS

NAMES = ("conv1", "relu1", "pool1", "conv2", "branch<b>", "join", "fc", "prob")
TYPES = ("Convolution", "ReLU", "Pooling", "Convolution", "Convolution", "Eltwise", "InnerProduct",
         "Softmax")  # fmt: skip
FAMILIES = ("conv", "relu", "pool", "conv", "conv", "eltwise", "fc", "softmax")
BOTTOMS = ("data", "conv1", "conv1", "pool1", "pool1", "conv2 branch<b>", "join", "fc")
TOPS = ("conv1", "conv1", "pool1", "conv2", "branch<b>", "join", "fc", "prob")
MACS = (4e6, 0, 0, 9e6, 2e6, 0, 3e6, 0)


def write_results(folder: Path, networks: tuple[str, ...] = ("small", "wide")) -> Path:
    """Two platforms: ``board`` with power and networks, ``plain`` with runtime only."""
    changes: dict[str, list[dict[str, Any]]] = {}
    for n, network in enumerate(networks):
        write_table(folder / "layers" / f"{network}.csv", LAYER_COLUMNS, layer_rows(network))
        for platform, power in (("board", True), ("plain", False)):
            rows = [
                row
                for batch in (4, 1, 16)
                for row in prediction_rows(network, batch, (n + 1) * 0.5, power)
            ]
            path = folder / "predictions" / platform / f"{network}.csv"
            write_table(path, PREDICTION_COLUMNS, rows)
            changes.setdefault(platform, []).extend(change_rows(rows, power))
    for platform, power in (("board", True), ("plain", False)):
        write_json(folder / "accuracy" / f"{platform}.json", accuracy(platform, power, networks))
        write_models(folder / "models" / platform, platform, power)
    for platform, found in changes.items():
        write_table(folder / "changes" / f"{platform}.csv", CHANGE_COLUMNS, found)
    facts = [
        f"{network}:\n  dataset: D\n  top1_error: {30 - 2 * n}\n  top5_error: {10 - 3 * n}\n"
        for n, network in enumerate(networks)
        if network.isalpha()
    ]
    write_text(folder.parent / "prototxts" / "networks.yaml", "".join(facts) or "{}")
    write_json(
        folder / "measurements" / "plain" / "manifest.json",
        {
            "platform": "plain",
            "device": "a device of the tests",
            "software": "a tool 1.0",
            "power": {"measured": False, "reason": "the device has no sensor"},
        },
    )
    return folder


def layer_rows(network: str) -> list[dict[str, Any]]:
    return [
        {
            "network": network, "index": i, "name": NAMES[i], "type": TYPES[i],
            "family": FAMILIES[i], "bottoms": BOTTOMS[i], "tops": TOPS[i],
            "bottom_shapes": "4x3x32x32", "top_shapes": "4x16x32x32", "batch": 4,
            "in_channels": 3, "params": 448 if MACS[i] else 0, "macs": int(MACS[i]),
            "input_elements": 12288, "output_elements": 65536,
            "weight_elements": 448 if MACS[i] else 0, "supported": 1, "note": "",
        }
        for i in range(len(NAMES))
    ]  # fmt: skip


def prediction_rows(network: str, batch: int, scale: float, power: bool) -> list[dict[str, Any]]:
    rows = []
    for i, name in enumerate(NAMES):
        modelled = FAMILIES[i] != "softmax"
        ms = scale * batch * (0.02 + MACS[i] * 1e-7) if modelled else None
        watts = 20.0 + i if power and modelled else None
        rows.append(_figures(network, i, name, batch, ms, watts))
    known = [row for row in rows if row["runtime_ms"] is not None]
    whole_ms = sum(row["runtime_ms"] for row in known)
    whole_mj = sum(row["energy_mj"] or 0 for row in known) if power else None
    for row in known:
        row["runtime_share"] = row["runtime_ms"] / whole_ms
        row["energy_share"] = row["energy_mj"] / whole_mj if whole_mj else None
    watts = whole_mj / whole_ms if whole_mj else None
    last = _figures(network, None, "TOTAL", batch, whole_ms, watts)
    last |= {"type": None, "family": None, "extrapolates": None, "macs": int(sum(MACS)),
             "runtime_share": 1.0, "energy_share": 1.0 if power else None,
             "note": "covers 7 of 8 computing layers, 100 % of MACs"}  # fmt: skip
    return [*rows, last]


def change_rows(rows: list[dict[str, Any]], power: bool) -> list[dict[str, Any]]:
    """The costliest two layers: half of conv2 saves a third of its cost, conv1's stride cannot."""
    found = []
    for rank, name in enumerate(("conv2", "conv1"), 1):
        row = next(r for r in rows if r["name"] == name)
        total = next(r for r in rows if r["name"] == "TOTAL")
        ms, mj = row["runtime_ms"] / 3, row["energy_mj"] / 3 if power else None
        share = ms / total["runtime_ms"]
        found.append(
            dict.fromkeys(CHANGE_COLUMNS)
            | {key: row[key] for key in ("network", "batch", "name", "type", "runtime_ms")}
            | {"rank": rank, "bound": "compute", "half_width_saves_percent": 100 * share,
               "half_width_saves_ms": ms, "half_width_saves_mj": mj,
               "half_width_note": "beyond the measured out_channels" if rank == 2 else None,
               "double_stride_note": "pool1 would not fit"}
        )  # fmt: skip
    return found


def _figures(
    network: str, index: int | None, name: str, batch: int, ms: float | None, watts: float | None
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "network": network, "index": index, "name": name, "batch": batch,
        "type": None if index is None else TYPES[index],
        "family": None if index is None else FAMILIES[index],
        "macs": None if index is None else int(MACS[index]),
        "source": "none" if ms is None else "model",
        "extrapolates": "in_channels" if name == "conv2" else None,
        "note": "no model of family softmax on this platform" if ms is None else None,
        "runtime_share": None, "energy_share": None,
    }  # fmt: skip
    energy = None if ms is None or watts is None else ms * watts
    for target, value in (("runtime_ms", ms), ("power_w", watts), ("energy_mj", energy)):
        row[target] = value
        row[f"{target}_lo"] = None if value is None else 0.8 * value
        row[f"{target}_hi"] = None if value is None else 1.3 * value
    return row


def accuracy(platform: str, power: bool, networks: tuple[str, ...]) -> dict[str, Any]:
    score = {
        "n": 120, "n_terms": 14, "candidate": "wide relative", "rmspe": 18.2, "rmse": 1.1,
        "mape": 12.5, "median_ape": 9.1, "within_10": 55.0, "r2": 0.98, "interval_coverage": 90.4,
        "baselines": {"constant": 900.0, "roofline": 60.0, "paleo": 70.0, "paper": 45.0},
    }  # fmt: skip
    targets = ("runtime_ms", "power_w") if power else ("runtime_ms",)
    checked = (*targets, "energy_mj") if power else targets
    return {
        "platform": platform,
        "software": "a tool 1.0",
        "created": "tests",
        "data_sha256": "0" * 64,
        "layers": {f: dict.fromkeys(targets, score) for f in ("conv", "fc", "pool")},
        "networks": {
            network: {
                target: [
                    {"batch": 4, "measured": 10.0 + i, "predicted": 11.0 + i, "lo": 9.0 + i,
                     "hi": 13.0 + i, "error_percent": 10.0, "runs": 3, "half_range": 0.5,
                     "coverage": "covers 7 of 8 computing layers, 100 % of MACs",
                     "baselines": {"roofline": 8.0}}
                ]
                for target in checked
            }
            for i, network in enumerate(networks)
        },
        "network_summary": {
            target: {"mape": 9.5, "rmspe": 10.0, "n": len(networks)} for target in checked
        },
    }  # fmt: skip


def write_models(folder: Path, platform: str, power: bool) -> None:
    targets = ("runtime_ms", "power_w") if power else ("runtime_ms",)
    write_json(folder / "models.json", {"platform": platform, "schema_version": 1, "models": []})
    for family in ("conv", "fc", "pool"):
        for target in targets:
            write_json(folder / f"{family}.{target}.json", model(family, target))
    rng = np.random.default_rng(5)
    rows: list[dict[str, Any]] = []
    for family in ("conv", "fc", "pool"):
        for target in targets:
            measured = 10 ** rng.uniform(-2, 2, 120)
            predicted = measured * np.exp(0.15 * rng.standard_normal(120))
            for m, p in zip(measured.tolist(), predicted.tolist(), strict=True):
                rows.append(
                    {"family": family, "target": target, "key": f"{len(rows):016x}", "batch": 4,
                     "measured": m, "predicted": p, "lo": 0.8 * p, "hi": 1.3 * p}
                )  # fmt: skip
    header = ["family", "target", "key", *CONFIGURATION_COLUMNS[1:]]
    write_table(folder / "out_of_fold.csv", [*header, "measured", "predicted", "lo", "hi"], rows)
    write_table(
        folder / "learning_curve.csv",
        LEARNING_COLUMNS,
        [
            {"family": family, "target": target, "configurations": n, "draw": draw,
             "rmspe": 300 / n + 5 * draw + 10, "mape": 200 / n + draw}
            for family in ("conv", "fc") for target in targets
            for n in (25, 50, 100) for draw in range(3)
        ],
    )  # fmt: skip
    write_table(
        folder / "data_ranges.csv",
        ["family", "column", "min", "median", "max", "distinct"],
        [
            {"family": "fc", "column": column, "min": 1.0, "median": 16.0, "max": 64.0,
             "distinct": 9}
            for column in ("batch", "in_channels", "out_channels")
        ],
    )  # fmt: skip
    write_table(
        folder / "cross_validation.csv",
        ["family", "target", "candidate", "n_terms", "rmspe", "standard_error", "chosen"],
        [
            {"family": "fc", "target": "runtime_ms", "candidate": "wide, relative", "n_terms": n,
             "rmspe": 20.0 + 30 / n, "standard_error": 1.0, "chosen": int(n == 30)}
            for n in (1, 3, 30, 60)
        ],
    )  # fmt: skip
    (folder / "data_quality.csv").write_text(
        "file,row,column,reason,action\nconv.csv,7,runtime_ms,<b>not</b> positive,left out\n"
    )


def model(family: str, target: str) -> dict[str, Any]:
    """A model's file as far as its page reads it; of ``fc`` a whole model."""
    return (whole_model(family, target) if family == "fc" else {}) | _model(family, target)


def whole_model(family: str, target: str) -> dict[str, Any]:
    """A cost in proportion to the batch and to the root of the outputs."""
    terms = ((Factor("batch", "log", 1.0),), (Factor("out_channels", "log", 1.0),))
    equation = Equation("log", terms, (1.0, 0.5))
    return Model(
        family, target, (equation,), Anchor(equation, 0.5, 2.0),
        Interval((0.0,), (1.0,), -0.1, 0.1),
        dict.fromkeys(("batch", "in_channels", "out_channels"), (1.0, 64.0)),
        (), 0.1, 0.0, 1.0, 1.0, "made",
    ).to_json()  # fmt: skip


def _model(family: str, target: str) -> dict[str, Any]:
    if family == "fc":
        return {
            "equation": "f1 = batch", "inference": [],
            "scores": {"n": 120, "rmspe": 18.2, "mape": 12.5, "interval_coverage": 90.4},
        }  # fmt: skip
    names = ("1", "macs", "log(<batch>)")
    return {
        "family": family, "target": target, "n_terms": 3, "candidate": "wide, relative",
        "equation": "f1 = 1 + 2 macs + 3 log(<batch>)",
        "equations": [{"terms": [{"name": n, "coefficient": 1.5} for n in names]}],
        "inference": [
            {"condition_number": 20.0, "breusch_pagan_p": 0.2, "influence": {"above_4_over_n": 3},
             "terms": [{"name": n, "standard_error": 0.25, "t": 6.0} for n in names]}
        ],
        "scores": {"n": 120, "rmspe": 18.2, "mape": 12.5, "interval_coverage": 90.4},
        "noise": {"repeated": 40, "median_half_range_percent": 2.5},
    }  # fmt: skip


def as_json(path: Path) -> Any:
    return json.loads(path.read_text())
