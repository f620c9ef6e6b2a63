"""From a network's layers and a platform's models to the prediction table.

One row per layer in execution order, then the row ``TOTAL``; several networks or batch sizes follow
one another. Layers run one after the other, as Caffe runs them; a layer without a model has
empty figures and says so, and the total says what it covers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from neuralpower.core.configuration import Prediction
from neuralpower.core.targets import TARGETS
from neuralpower.networks.adding import Total, in_networks, sums_of, total
from neuralpower.networks.calibration import Composition
from neuralpower.networks.estimates import (
    Estimates,
    Interval,
    Models,
    configuration_columns,
    estimate,
)
from neuralpower.networks.text import TOTAL

if TYPE_CHECKING:
    from neuralpower.caffe.network import Layer, Network


#: Families that do nothing at inference: their layers need no model, but one is used if fitted.
_IDLE_AT_INFERENCE = frozenset({"dropout"})


def predict_networks(
    networks: Sequence[Network], models: Models, composition: Composition | None = None
) -> list[Prediction]:
    """Prediction rows of networks, each at its own batch size.

    All layers of all networks are predicted in one pass. Runtime in ms, power in W, energy in
    mJ of one forward pass of the whole batch; intervals are 90 %. None is unknown.
    ``composition`` is what the platform's measured passes taught (``load_composition``).
    """
    composition = composition or Composition()
    rows: list[Prediction] = []
    for network, estimates in zip(networks, estimate_networks(networks, models), strict=True):
        rows += network_rows(network, estimates, composition)
    return rows


def estimate_networks(networks: Sequence[Network], models: Models) -> list[Estimates]:
    """Estimates of every network's layers by themselves, one array element per layer."""
    layers = [layer for network in networks for layer in network.layers]
    whole = _scattered(layers, models)
    cuts = np.cumsum([0, *(len(network.layers) for network in networks)])
    return [whole.part(start, stop) for start, stop in pairwise(cuts.tolist())]


def network_batch(network: Network) -> int | None:
    """The batch size of a network: that of its first modelled layer, else of its first input."""
    for layer in network.layers:
        if layer.configuration is not None:
            return layer.configuration.batch
    for shape in network.inputs.values():
        if shape:
            return int(shape[0])
    return None


def _scattered(layers: Sequence[Layer], models: Models) -> Estimates:
    """Estimates aligned with ``layers``; those without a configuration stay unknown."""
    modelled = [i for i, layer in enumerate(layers) if layer.configuration is not None]
    configurations = [c for layer in layers if (c := layer.configuration) is not None]
    found = estimate(configuration_columns(configurations), models)
    rows = np.full(len(layers), -1)
    rows[modelled] = np.arange(len(modelled))
    family = np.array([layer.family for layer in layers], dtype=np.str_)
    return replace(found.take(rows), family=family)


def network_rows(
    network: Network, estimates: Estimates, composition: Composition
) -> list[Prediction]:
    """One network's prediction rows from the estimates of its layers by themselves."""
    batch = network_batch(network)
    estimates = in_networks(estimates, composition)
    whole, sources = total(estimates, composition), estimates.sources()
    inside = included(network, estimates.facts)
    rows: list[Prediction] = []
    for i, layer in enumerate(network.layers):
        runtime, power, energy = (figures(getattr(estimates, target), i) for target in TARGETS)
        rows.append(
            {
                "network": network.name,
                "index": layer.index,
                "name": layer.name,
                "type": layer.type,
                "family": layer.family or None,
                "batch": batch,
                "runtime_ms": runtime[0],
                "runtime_ms_lo": runtime[1],
                "runtime_ms_hi": runtime[2],
                "power_w": power[0],
                "power_w_lo": power[1],
                "power_w_hi": power[2],
                "energy_mj": energy[0],
                "energy_mj_lo": energy[1],
                "energy_mj_hi": energy[2],
                "runtime_share": _share(runtime[0], whole.runtime_ms),
                "energy_share": _share(energy[0], whole.energy_mj),
                "extrapolates": estimates.extrapolates[i] or None,
                "extrapolates_by": _known(estimates.extrapolates_by[i]),
                "source": "included" if i in inside else sources[i],
                "coverage": None,
                "macs": layer.macs,
                "note": inside.get(i) or _note(layer, runtime[0] is None, estimates) or None,
            }
        )
    last = _total_row(network, batch, rows, whole)
    waiting = sums_of(estimates).waiting_ms(composition.launch) if whole.runtime_ms else 0.0
    notes = [last["note"] or "", *_remarks(rows, whole, waiting, estimates.facts)]
    last["note"] = "; ".join(notes)
    return [*rows, last]


def included(network: Network, facts: Mapping[str, object]) -> dict[int, str]:
    """Layers whose cost another layer's figure holds on this platform, and the note that says so.

    ``facts["included"]``: ``{"scale": "batchnorm"}`` for a framework whose batch normalisation
    scales and shifts too; a layer counts that follows one directly.
    """
    pairs = facts.get("included")
    if not isinstance(pairs, Mapping):
        return {}
    found: dict[int, str] = {}
    makers: dict[str, Layer] = {}
    for i, layer in enumerate(network.layers):
        maker = makers.get(layer.bottoms[0]) if layer.bottoms else None
        if maker is not None and pairs.get(layer.family) == maker.family:
            found[i] = f"counted in {maker.name}"
        makers |= dict.fromkeys(layer.tops, layer)
    return found


def _remarks(
    rows: Sequence[Prediction], whole: Total, waiting_ms: float, facts: Mapping[str, object]
) -> list[str]:
    """What a total rests on beside models of its layers."""
    found = []
    estimated = sum(row["source"] == "estimate" for row in rows)
    if estimated:
        found.append(f"{estimated} of them estimated from the bytes they move")
    if waiting_ms > 0.0:
        found.append(f"{waiting_ms:.3g} ms of waiting for launches")
    peak = facts.get("peak_gflops")
    if whole.runtime_ms and isinstance(peak, int | float) and peak > 0:
        rate = 2e-6 * sum(row["macs"] or 0 for row in rows) / whole.runtime_ms[0]
        if rate > peak:
            found.append(
                f"{rate / 1e3:.3g} TFLOP/s, above the data sheet's {peak / 1e3:.3g}: only fast "
                "algorithms (Winograd) can be so"
            )
    return found


def figures(interval: Interval, row: int) -> tuple[float | None, float | None, float | None]:
    """One row's value and the ends of its interval; None where unknown."""
    return _known(interval.value[row]), _known(interval.lo[row]), _known(interval.hi[row])


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _farthest(rows: Sequence[Prediction]) -> float | None:
    """The factor by which any of the rows is farthest outside the measured range."""
    known = [by for row in rows if (by := row["extrapolates_by"])]
    return max(known, key=lambda by: abs(np.log(by)), default=None)


def _share(part: float | None, whole: tuple[float, float, float] | None) -> float | None:
    return None if part is None or whole is None or whole[0] <= 0 else part / whole[0]


def computes(layer: Layer) -> bool:
    """Whether a layer does work at inference, so that a total without it is incomplete."""
    from neuralpower.caffe.layers import find

    if layer.family in _IDLE_AT_INFERENCE:
        return False
    if layer.family:
        return True
    kind = find(layer.type)
    return not (kind is not None and kind.free) and "no computation" not in layer.note


def _note(layer: Layer, unknown: bool, estimates: Estimates) -> str:
    if unknown:
        if layer.family in _IDLE_AT_INFERENCE:
            own = "no computation at inference"
        elif (
            layer.configuration is not None and layer.family in estimates.correlation["runtime_ms"]
        ):
            own = "no figure: a size of this layer means nothing to the model"
        elif layer.family and layer.configuration is not None:
            own = f"no model of family {layer.family} on this platform"
        elif layer.note:
            own = ""
        else:
            own = f"no model family for type {layer.type}"
        return "; ".join(text for text in (own, layer.note) if text)
    return layer.note


def _total_row(
    network: Network, batch: int | None, rows: Sequence[Prediction], whole: Total
) -> Prediction:
    needed = [
        row
        for row, layer in zip(rows, network.layers, strict=True)
        if computes(layer) and row["source"] != "included"
    ]
    unknown = (None, None, None)
    runtime, power, energy = (getattr(whole, target) or unknown for target in TARGETS)
    beyond = sorted({row["extrapolates"] for row in rows if row["extrapolates"]})
    return {
        "network": network.name,
        "index": None,
        "name": TOTAL,
        "type": None,
        "family": None,
        "batch": batch,
        "runtime_ms": runtime[0],
        "runtime_ms_lo": runtime[1],
        "runtime_ms_hi": runtime[2],
        "power_w": power[0],
        "power_w_lo": power[1],
        "power_w_hi": power[2],
        "energy_mj": energy[0],
        "energy_mj_lo": energy[1],
        "energy_mj_hi": energy[2],
        "runtime_share": None if whole.runtime_ms is None else 1.0,
        "energy_share": None if whole.energy_mj is None else 1.0,
        "extrapolates": " ".join(beyond) or None,
        "extrapolates_by": _farthest(rows),
        "source": "none" if whole.runtime_ms is None else "model",
        "coverage": coverage(needed),
        "macs": sum(row["macs"] for row in rows if row["macs"] is not None),
        "note": _total_note(network, needed),
    }


def coverage(needed: Sequence[Prediction]) -> float:
    """The share (0 to 1) of a network's work that has a runtime, of prediction rows that compute.

    The share of the multiply-accumulates (of the layers, where there are none), times the share of
    the layers whose work is known at all: a layer without a shape counts as not covered.
    """
    known = [
        (macs, row["runtime_ms"] is not None) for row in needed if (macs := row["macs"]) is not None
    ]
    if not known:
        return 0.0
    whole = sum(macs for macs, _ in known)
    timed = [macs for macs, is_timed in known if is_timed]
    part = sum(timed) / whole if whole else len(timed) / len(known)
    return float(part * len(known) / len(needed))


def _total_note(network: Network, needed: Sequence[Prediction]) -> str:
    """What the total covers, of the layers that compute and of their MACs."""
    timed = [row for row in needed if row["runtime_ms"] is not None]
    powered = [row for row in needed if row["energy_mj"] is not None]
    text = "covers " + _coverage(timed, needed)
    doubted = sum("not sure" in (row["note"] or "") for row in needed)
    if doubted:
        text += f"; {doubted} layer{'s' * (doubted > 1)} not sure"
    if not timed:
        return nothing(network)
    if not powered:
        return f"{text}; no power model"
    if len(powered) != len(timed):
        text += "; power and energy " + _coverage(powered, needed)
    return text


def nothing(network: Network) -> str:
    """Why there is no prediction at all, with the first reason where no shape is known."""
    if not network.layers:
        return f"no prediction: {network.no_layers}"
    unknown = [layer for layer in network.layers if layer.macs is None]
    if unknown and not any(layer.configuration for layer in network.layers):
        return f"no prediction: no layer with a model has a known shape ({unknown[0].note})"
    return "no runtime model covers any of its layers"


def _coverage(covered: Sequence[Prediction], needed: Sequence[Prediction]) -> str:
    unknown = sum(row["macs"] is None for row in needed)
    macs = sum(row["macs"] or 0 for row in needed)
    part = sum(row["macs"] or 0 for row in covered)
    text = f"{len(covered)} of {len(needed)} computing layers"
    if macs:
        # Rounded down: 100 % is said only when it is so.
        share = f"{np.floor(1000 * part / macs) / 10:g} %"
        if not unknown:
            text += f", {share} of MACs"
        elif part < macs:
            text += f", {share} of the MACs that are known"
    if unknown:
        text += f"; the work of {unknown} is unknown"
    return text
