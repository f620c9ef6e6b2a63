"""Fitting a platform: every family and target, resumable after a kill, whole files only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuralpower import __version__
from neuralpower.core.documents import check_value, read_json
from neuralpower.core.errors import InputError
from neuralpower.core.families import FAMILIES
from neuralpower.core.file_names import (
    BASELINES,
    CROSS_VALIDATION,
    DATA_QUALITY,
    DATA_RANGES,
    MANIFEST,
    MODELS_INDEX,
    OUT_OF_FOLD,
)
from neuralpower.core.files import csv_text, sha256_file, write_json, write_text
from neuralpower.core.targets import TARGETS
from neuralpower.modeling.alike import ENOUGH, kinds_of
from neuralpower.modeling.baselines import Device, refuse_facts
from neuralpower.modeling.data import Dataset, load_dataset
from neuralpower.modeling.data_sheet import DATA_SHEET
from neuralpower.modeling.features import DEFAULTS
from neuralpower.modeling.few import fit_energy, fit_kind
from neuralpower.modeling.fitting import (
    CROSS_VALIDATION_COLUMNS,
    FEWEST,
    OUT_OF_FOLD_COLUMNS,
    FitOptions,
    Fitted,
    fit_layers,
)
from neuralpower.modeling.limits import device_of
from neuralpower.modeling.models import SCHEMA_VERSION, Model
from neuralpower.modeling.selection import TooFewError
from neuralpower.records.columns import layer_slips
from neuralpower.records.faults import refuse_negative
from neuralpower.records.folder import Platform, load_platform
from neuralpower.records.sealing import refuse_changed

PARTS = ".parts"
QUALITY_COLUMNS = ("file", "row", "column", "reason", "action")
RANGE_COLUMNS = ("family", "column", "min", "median", "max", "distinct")

#: What the manifest says of a platform and its models repeat.
ABOUT = ("title", "published", "precision", "sensor", "traps", "included", "peak_gflops",
         "bandwidth_gb_s", "power_cap_w", "idle_power_w")  # fmt: skip
#: A sweep over more batch sizes than this has measured batches, not a few of them.
FEW_BATCHES = 3

Progress = Callable[[str, int, int], None]


def data_checksum(platform: Platform) -> str:
    """SHA-256 over names and bytes of the layer tables: what the models were fitted on."""
    digest = hashlib.sha256()
    for path in platform.layer_files:
        digest.update(f"{path.name} {sha256_file(path)}\n".encode())
    return digest.hexdigest()


def created(platform: Platform) -> str | None:
    """The manifest's date, else SOURCE_DATE_EPOCH as a date, else nothing: never the clock."""
    for name in ("created", "date"):
        value = platform.manifest.other.get(name)
        if isinstance(value, str) and value:
            return value
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    if epoch.isdigit():
        from datetime import UTC, datetime

        return datetime.fromtimestamp(int(epoch), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return None


@dataclass
class Work:
    """What a fit has done so far: fitted ``parts`` as files in ``folder``, ``refused`` families.

    A part is read back when the models are written, so that a resumed and an uninterrupted fit
    write the very same values, and memory holds one part.
    """

    folder: Path
    options: str
    parts: dict[tuple[str, str], Path] = field(default_factory=dict)
    refused: list[dict[str, object]] = field(default_factory=list)

    def takes(self, family: str, target: str, fitted: Fitted) -> bool:
        """Whether ``predict`` will read the model; if not, that is noted, and it is not written."""
        try:
            check_value(fitted.to_json())
            Model.from_json(fitted.model)
        except ValueError as error:
            self.refuse(family, target, f"what was fitted is no model: {error}")
            return False
        return True

    def add(self, family: str, target: str, fitted: Fitted, stamp: Mapping[str, str]) -> None:
        """Write a part; ``stamp`` says of which data and options it is."""
        path = self.path(family, target)
        write_json(path, {"stamp": stamp, "fitted": fitted.to_json()})
        self.parts[family, target] = path

    def fitted(self, family: str, target: str) -> Fitted | None:
        """A part that was fitted or taken up, ``None`` if there is none."""
        path = self.parts.get((family, target))
        return None if path is None else Fitted(**read_json(path)["fitted"])

    def refuse(self, family: str, target: str, reason: str) -> None:
        """Note that there is no model of a family and target, and why."""
        self.refused.append(
            {"file": f"{family} tables", "column": target, "reason": reason, "action": "no model"}
        )

    def path(self, family: str, target: str) -> Path:
        """Where a part is."""
        return self.folder / f"{family}.{target}.json"


def fit_platform(
    measurements: str | Path,
    out: str | Path,
    options: FitOptions | None = None,
    progress: Progress | None = None,
    *,
    leave_out_negative: bool = True,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """Fit every family and target of a platform and write its models folder; returns the index.

    A killed fit leaves finished families in ``.parts`` and takes them up again, if data, options
    and code are the same; the folder's index is written last. ``tell`` hears of families that are
    so large that a sample of them is fitted (``modeling.visits``). Raises ``InputError`` for faulty
    tables (negative runtimes too, unless they are left out like other bad rows) or when no family
    has enough configurations.
    """
    options = options or FitOptions()
    platform = load_platform(measurements)
    refuse_changed(platform)
    data = load_dataset(platform)
    if not leave_out_negative:
        refuse_negative(data.left_out, platform.folder)
    if tell:
        for family, reason in data.sampled.items():
            tell(f"{platform.folder}: {family}: {reason}")
        for slip in layer_slips(platform):
            tell(
                f"neuralpower: {platform.folder / slip.file}: column {slip.column!r}: {slip.reason}"
            )
    root = Path(out)
    work = Work(root / PARTS, options.checksum())
    device = device_of(platform, data)
    refuse_facts(device, platform.folder / MANIFEST)
    tasks = [(family, target) for family in data.families() for target in TARGETS]
    for number, (family, target) in enumerate(tasks):
        if progress:
            progress(f"{family} {target}", number, len(tasks))
        _fit_part(work, data, (family, target), options, device)
    if progress:
        progress("done", len(tasks), len(tasks))
    if not work.parts:
        unsound = [str(row["reason"]) for row in work.refused if "no model" in str(row["reason"])]
        raise InputError(
            unsound[0]
            if unsound
            else f"no layer family has {FEWEST} usable configurations: measure more{_why(data)}",
            path=platform.folder,
        )
    return write_models(root, platform, data, work, options)


def _why(data: Dataset) -> str:
    """The first row that was left out, if any: often the reason why too few are left."""
    if not data.left_out:
        return " (are there rows of layers at all?)" if not data.layers else ""
    first = data.left_out[0]
    return (
        f" ({len(data.left_out)} values are of no use; the first: {first.file}, row {first.row}, "
        f"{first.column}: {first.reason})"
    )


def _fit_part(
    work: Work, data: Dataset, what: tuple[str, str], options: FitOptions, device: Device
) -> None:
    """Fit a family and target, with other families where it has few rows or none."""
    path, (family, target) = work.path(*what), what
    layers, kinds = data.layers.get(what), kinds_of(data.layers, family, target)
    factors = None
    if target == "energy_mj" and (layers is None or len(layers) < ENOUGH[target]):
        factors = work.fitted(family, "power_w"), work.fitted(family, "runtime_ms")
    said = [layers] if kinds is None else [kinds.own, *kinds.others]
    stamp = {
        "data_sha256": " ".join(rows.checksum() for rows in said if rows is not None),
        "options_sha256": work.options,
        "device": repr(device),
    }
    if factors is not None:
        stamp["factors_sha256"] = " ".join(sha256_of(fitted) for fitted in factors)
    if path.exists():
        try:
            part = read_json(path)
            if part["stamp"] == stamp and Model.from_json(part["fitted"]["model"]):
                work.parts[what] = path
                return
        except (InputError, ValueError, KeyError, TypeError, AttributeError, IndexError):
            pass  # a foreign or damaged part is fitted again
    origin = {"options_sha256": work.options}
    try:
        if kinds is not None:
            fitted = fit_kind(kinds, options, device, origin)
        elif factors is not None and factors[0] is not None and factors[1] is not None:
            fitted = fit_energy(layers, options, device, (factors[0], factors[1]), origin)
        elif layers is not None:
            fitted = fit_layers(layers, options, device, origin)
        else:
            return
    except TooFewError as error:
        work.refuse(family, target, f"too few for a model: {error}")
        return
    if work.takes(family, target, fitted):
        work.add(family, target, fitted, stamp)


def sha256_of(fitted: Fitted | None) -> str:
    """What an energy was multiplied from, as a checksum."""
    text = "" if fitted is None else json.dumps(fitted.to_json(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_models(
    root: Path, platform: Platform, data: Dataset, work: Work, options: FitOptions
) -> Path:
    """Write the models folder, its index last, and remove the parts; returns the index."""
    wanted = {f"{family}.{target}.json" for family, target in work.parts}
    (root / MODELS_INDEX).unlink(missing_ok=True)
    for stale in sorted(root.glob("*.*.json")):
        family, _, target = stale.name.removesuffix(".json").partition(".")
        if stale.name not in wanted and family in FAMILIES and target in TARGETS:
            stale.unlink()
    cross: list[dict[str, object]] = []
    outs = [csv_text(OUT_OF_FOLD_COLUMNS, ())]
    baselines: dict[str, dict[str, object]] = {}
    sheets: list[str] = []
    for (family, target), path in sorted(work.parts.items()):
        fitted = read_json(path)["fitted"]
        write_json(root / f"{family}.{target}.json", fitted["model"])
        if fitted["model"]["candidate"] == DATA_SHEET:
            sheets.append(f"{family}.{target}.json")
        cross.extend(fitted["cross_validation"])
        outs.append(csv_text(OUT_OF_FOLD_COLUMNS, fitted["out_of_fold"]).partition("\n")[2])
        baselines.setdefault(family, {})[target] = fitted["baselines"]
    quality: list[dict[str, object]] = [
        {"file": f.file, "row": f.row, "column": f.column, "reason": f.reason, "action": f.action}
        for f in data.left_out
    ]
    write_text(root / CROSS_VALIDATION, csv_text(CROSS_VALIDATION_COLUMNS, cross))
    write_text(root / OUT_OF_FOLD, "".join(outs))
    quality += [
        {"file": f"{family} tables", "reason": reason, "action": "sampled"}
        for family, reason in data.sampled.items()
    ]
    quality += [
        {"file": slip.file, "column": slip.column, "reason": slip.reason, "action": "not read"}
        for slip in layer_slips(platform)
    ]
    quality += work.refused
    write_text(root / DATA_QUALITY, csv_text(QUALITY_COLUMNS, quality))
    write_text(root / DATA_RANGES, csv_text(RANGE_COLUMNS, data_ranges(data)))
    write_json(root / BASELINES, baselines)
    index = {
        "schema_version": SCHEMA_VERSION,
        "platform": platform.name,
        "device": platform.device,
        "software": platform.software,
        "description": platform.description,
        "power_reason": platform.power_reason,
        "batch_sizes": batch_sizes(platform, data),
        **{name: value for name in ABOUT if (value := platform.fact(name)) is not None},
        "created": created(platform),
        "data_sha256": data_checksum(platform),
        "options": {
            "candidates": [str(c) for c in options.candidates],
            "folds": options.folds,
            "seed": options.seed,
            "sha256": work.options,
        },
        "version": __version__,
        "models": sorted(wanted),
        **({"data_sheet": sheets} if sheets else {}),
        "sha256": {name: sha256_file(root / name) for name in sorted(wanted)},
        "rows": {
            family: {
                "read": data.rows_read[family],
                "configurations": len(data.layers[family, "runtime_ms"]),
                "with_power": len(data.layers[family, "power_w"])
                if (family, "power_w") in data.layers
                else 0,
            }
            for family in data.families()
        },
    }
    write_json(root / MODELS_INDEX, index)
    shutil.rmtree(work.folder, ignore_errors=True)
    return root / MODELS_INDEX


def batch_sizes(platform: Platform, data: Dataset) -> list[int]:
    """The few batch sizes that were measured, as the manifest says or the largest family shows.

    Empty where there are many: then any size within their range is as good.
    """
    sizes = platform.fact("batch_sizes")
    if isinstance(sizes, list) and all(type(size) is int and size > 0 for size in sizes):
        return sorted(set(sizes))
    if not data.layers:
        return []
    layers = max((data.layers[family, "runtime_ms"] for family in data.families()), key=len)
    found = sorted({int(size) for size in layers.columns["batch"]})
    return found if len(found) <= FEW_BATCHES else []


def data_ranges(data: Dataset) -> list[dict[str, object]]:
    """What was measured: range, median and number of distinct values of every column that varies.

    Few distinct values or a median near one end tell where a sweep is thin.
    """
    rows = []
    for family in data.families():
        layers = data.layers[family, "runtime_ms"]
        for name in (*DEFAULTS, "runtime_ms", "power_w"):
            if name in DEFAULTS:
                values = layers.columns[name]
            elif (family, name) in data.layers:
                values = data.layers[family, name].measured
            else:
                continue
            distinct = len(np.unique(values))
            if distinct > 1 or name not in DEFAULTS:
                rows.append(
                    {
                        "family": family,
                        "column": name,
                        "min": float(values.min()),
                        "median": float(np.median(values)),
                        "max": float(values.max()),
                        "distinct": distinct,
                    }
                )
    return rows
