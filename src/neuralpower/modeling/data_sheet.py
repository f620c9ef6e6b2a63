"""Models of a device that nobody has measured, from other devices' models and its data sheet.

Compute and memory take turns in a layer: by its data sheet a device needs

    r = operations / peak + bytes / bandwidth

for it. What another device takes beyond its own ``r`` is taken over: the runtime is the geometric
mean over devices of (their model / their r), times the new device's ``r``. Power is the geometric
mean of (their model / their board's cap), times the new cap. The number of multiprocessors is in
the peak and is not used again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from neuralpower.core.documents import read_yaml
from neuralpower.core.errors import InputError
from neuralpower.core.file_names import MANIFEST
from neuralpower.modeling.bands import Interval
from neuralpower.modeling.baselines import BYTES, Device, refuse_facts
from neuralpower.modeling.features import DEFAULTS
from neuralpower.modeling.members import Anchor, Equation, Part
from neuralpower.modeling.models import Model, ModelSet
from neuralpower.modeling.terms import INTERCEPT, Factor, Term
from neuralpower.modeling.vocabularies import vocabulary
from neuralpower.modeling.ways import part_of
from neuralpower.records.folder import Platform

#: What a model of this kind is called, and its part that holds the new device's facts.
DATA_SHEET = "data sheet"
#: Half of the 90 % interval, ln(measured / predicted). Runtime: a factor of 4, which holds nine of
#: ten layers of the A100, P100, 1080 Ti and A30, each from the others (docs/accuracy.md). Power: an
#: assumption, as one board with a known cap is all there is.
HALF_WIDTH = {"runtime_ms": float(np.log(4.0)), "power_w": float(np.log(1.6))}
#: 90 % of a normal distribution are within so many standard deviations.
_DEVIATIONS = 1.645
#: An anchor that bounds nothing.
_FREE = Anchor(Equation("log", (INTERCEPT,), (0.0,), candidate="anchor"), 1e-30, 1e30)


@dataclass(frozen=True)
class DataSheet:
    """Peak rate (10^9 operations/s), memory bandwidth (GB/s), the board's cap (W); a name."""

    peak_gflops: float | None = None
    bandwidth_gb_s: float | None = None
    power_cap_w: float | None = None
    idle_power_w: float | None = None
    device: str = ""

    @property
    def known(self) -> bool:
        """Whether runtimes can be predicted from it."""
        return self.peak_gflops is not None and self.bandwidth_gb_s is not None

    def of_device(self) -> Device:
        """The facts as baselines and limits take them."""
        return Device(self.peak_gflops, self.bandwidth_gb_s, self.idle_power_w, self.power_cap_w)


_NUMBERS = tuple(field.name for field in fields(DataSheet) if field.name != "device")


def load_data_sheet(path: str | Path) -> DataSheet:
    """A data sheet from a small YAML file; ``InputError`` for anything but its few facts."""
    value = read_yaml(path)
    if not isinstance(value, dict):
        raise InputError("a data sheet is a mapping, as peak_gflops: 9300", path=path)
    names = (*_NUMBERS, "device")
    for key, entry in value.items():
        if key not in names:
            raise InputError(f"unknown fact {key!r} (known: {', '.join(names)})", path=path)
        if key == "device":
            if not isinstance(entry, str):
                raise InputError("device: words are needed", path=path)
        elif isinstance(entry, bool) or not isinstance(entry, int | float) or not entry > 0:
            raise InputError(f"{key}: a positive number is needed", path=path)
    numbers = {name: float(entry) for name, entry in value.items() if name != "device"}
    sheet = _sheet(numbers, str(value.get("device", "")))
    if not sheet.known:
        raise InputError("peak_gflops and bandwidth_gb_s are needed", path=path)
    refuse_facts(sheet.of_device(), path)
    return sheet


def sheet_of(platform: Platform) -> DataSheet:
    """What a platform's manifest knows of its device."""
    sheet = _sheet({name: platform.number(name) for name in _NUMBERS}, platform.device)
    refuse_facts(sheet.of_device(), platform.folder / MANIFEST)
    return sheet


def _sheet(numbers: Mapping[str, float | None], device: str = "") -> DataSheet:
    return DataSheet(
        numbers.get("peak_gflops"),
        numbers.get("bandwidth_gb_s"),
        numbers.get("power_cap_w"),
        numbers.get("idle_power_w"),
        device,
    )


def from_data_sheet(
    sources: Mapping[str, ModelSet], family: str, target: str, sheet: DataSheet
) -> Model | None:
    """A model of ``runtime_ms`` or ``power_w`` without a measurement.

    None where a fact is missing: peak and bandwidth (cap) of the device and of one with a model.
    """
    found = {
        name: (model, theirs)
        for name, models in sources.items()
        if (model := models.get(family, target)) is not None
        and (theirs := _expected(sheet_of_models(models), family, target)) is not None
    }
    own = _expected(sheet, family, target)
    if own is None or not found:
        return None
    share = 1.0 / len(found)
    parts = [part_of(name, model, share) for name, (model, _) in found.items()]
    parts += [
        Part(f"{DATA_SHEET} of {name}", -share, (theirs,), _FREE)
        for name, (_, theirs) in found.items()
    ]
    parts.append(Part(DATA_SHEET, 1.0, (own,), _FREE))
    models = [model for model, _ in found.values()]
    half = HALF_WIDTH[target]
    lead, *others = parts
    return Model(
        family=family,
        target=target,
        equations=lead.equations,
        anchor=lead.anchor,
        interval=Interval((0.0,), (1.0,), -half, half),
        ranges={
            name: (
                min(model.ranges[name][0] for model in models),
                max(model.ranges[name][1] for model in models),
            )
            for name in DEFAULTS
            if all(name in model.ranges for model in models)
        },
        methods=tuple(sorted({method for model in models for method in model.methods})),
        relative_sd=half / _DEVIATIONS,
        # A device that is slower than its data sheet is so in all layers.
        error_correlation=1.0,
        mean_ratio=1.0,
        lean=1.0,
        candidate=DATA_SHEET,
        facts={
            "scores": {},
            "baselines": {},
            "provenance": {"source": f"{DATA_SHEET} and {', '.join(found)}"},
        },
        source=lead.source,
        exponent=lead.exponent,
        parts=tuple(others),
        limits=(sheet.idle_power_w, sheet.power_cap_w) if target == "power_w" else (None, None),
    )


def sheet_of_models(models: ModelSet) -> DataSheet:
    """What the index of a folder of models says of its device."""
    return _sheet(
        {
            name: float(value)
            for name in _NUMBERS
            if isinstance(value := models.facts.get(name), int | float) and value > 0
        }
    )


def _expected(sheet: DataSheet, family: str, target: str) -> Equation | None:
    """What a data sheet expects of a layer: its time in ms, or the board's cap in W."""
    if target == "power_w":
        cap = sheet.power_cap_w
        return None if cap is None else Equation("linear", (INTERCEPT,), (cap,))
    if sheet.peak_gflops is None or sheet.bandwidth_gb_s is None:
        return None
    terms: dict[Term, float] = {(Factor("moved_elements"),): BYTES / (sheet.bandwidth_gb_s * 1e6)}
    if (main := vocabulary(family).main).endswith("macs"):
        terms[(Factor(main),)] = 2.0 / (sheet.peak_gflops * 1e6)
    return Equation("linear", tuple(terms), tuple(terms.values()))
