"""Why a network costs what it costs: its dearest layers, what bounds them, what changes would save.

Savings are computed by changing one layer of the network, setting the network up again as Caffe
would, and predicting all of it: the layers after it change too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpower.core.errors import InputError
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import predict_networks
from neuralpower.networks.estimates import Models, configuration_columns
from neuralpower.networks.reading import Readings

if TYPE_CHECKING:
    from neuralpower.caffe.network import Layer, Network

COLUMNS = (
    "network",
    "batch",
    "rank",
    "name",
    "type",
    "runtime_ms",
    "runtime_share",
    "power_w",
    "energy_mj",
    "energy_share",
    "macs",
    "macs_per_byte",
    "bound",
    "compute_ms",
    "memory_ms",
    "half_width_saves_percent",
    "half_width_note",
    "double_stride_saves_percent",
    "double_stride_note",
)
#: Layers that are explained.
MOST = 5


def explain(
    path: str | Path,
    models: Models,
    models_dir: str | Path,
    composition: Composition | None = None,
    batch: int | None = None,
    most: int = MOST,
    readings: Readings | None = None,
) -> list[dict[str, Any]]:
    """A row (``COLUMNS``) for each of the ``most`` layers that cost most, dearest first.

    Cost is energy where every modelled layer has it, else runtime. ``bound`` is ``compute`` or
    ``memory`` by the platform's roofline (the stored baseline: the slower of ``compute_ms`` and
    ``memory_ms``), ``memory`` for layers without arithmetic to speak of. ``*_saves_percent`` is
    the part of the whole network's cost that half the layer's outputs, or twice its stride, would
    save; None with the reason where the layer or the network does not allow it. A saving's note
    names the sizes that leave the measured range by the change.
    """
    from neuralpower.onnx_in.loading import load_network

    composition = composition or Composition()
    options = (readings or Readings()).of(path).options()
    network = load_network(path, batch=batch, **options)
    rows = predict_networks([network], models, composition)
    total, layers = rows[-1], {layer.index: layer for layer in network.layers}
    known = [row for row in rows[:-1] if row["runtime_ms"] is not None]
    by_energy = bool(known) and all(row["energy_mj"] is not None for row in known)
    cost = "energy_mj" if by_energy else "runtime_ms"
    known.sort(key=lambda row: (-row[cost], row["index"]))
    roof = Roof(models_dir)

    def saved(layer: Layer, change: Callable[[Any], str]) -> tuple[float | None, str | None]:
        try:
            other = _changed(path, network, layer, change, {"batch": batch, **options})
        except InputError as error:
            return None, error.message
        changed = predict_networks([other], models, composition)
        after = changed[-1]
        if after["note"] != total["note"] or after[cost] is None:
            return None, "the changed network is covered differently"
        return 100 * (1 - after[cost] / total[cost]), _newly_beyond(rows, changed)

    found = []
    for rank, row in enumerate(known[:most], 1):
        layer = layers[row["index"]]
        half, half_note = saved(layer, _halve_width)
        stride, stride_note = saved(layer, _double_stride)
        found.append(
            {name: row.get(name) for name in COLUMNS}
            | roof.bound(layer)
            | {
                "rank": rank,
                "half_width_saves_percent": half,
                "half_width_note": half_note,
                "double_stride_saves_percent": stride,
                "double_stride_note": stride_note,
            }
        )
    return found


def _newly_beyond(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> str | None:
    """Which sizes leave the measured range by a change of the network; None where none do."""
    columns = [
        name
        for old, new in zip(before[:-1], after[:-1], strict=True)
        for name in (new["extrapolates"] or "").split()
        if name not in (old["extrapolates"] or "").split()
    ]
    return f"beyond the measured {' '.join(dict.fromkeys(columns))}" if columns else None


class Roof:
    """What bounds a layer, by the roofline that was fitted (or given) beside the models."""

    def __init__(self, models_dir: str | Path) -> None:
        from neuralpower.modeling.baselines import load_baselines

        self._roofs = {
            family: baseline
            for (family, target), baselines in load_baselines(models_dir).items()
            if target == "runtime_ms"
            for baseline in baselines
            if baseline.name == "roofline"
        }

    def bound(self, layer: Layer) -> dict[str, Any]:
        """``bound``, ``compute_ms``, ``memory_ms`` and ``macs_per_byte`` of a layer."""
        from neuralpower.modeling.features import FeatureTable
        from neuralpower.modeling.terms import TermTable

        size = _bytes(layer)
        found: dict[str, Any] = {
            "macs_per_byte": layer.macs / size if layer.macs and size else None
        }
        roof = self._roofs.get(layer.family)
        if roof is None or layer.configuration is None:
            return found | {"bound": "memory" if not layer.macs else None}
        table = TermTable(FeatureTable(configuration_columns([layer.configuration])))
        compute, memory = (float(np.asarray(e.raw(table))[0]) for e in roof.equations)
        return found | {
            "bound": "compute" if compute > memory else "memory",
            "compute_ms": compute,
            "memory_ms": memory,
        }


def _bytes(layer: Layer) -> float | None:
    shapes = (*layer.bottom_shapes, *layer.top_shapes)
    if any(shape is None for shape in shapes):
        return None
    return 4.0 * (sum(float(np.prod(shape)) for shape in shapes if shape) + layer.params)


def _changed(
    path: str | Path,
    network: Network,
    layer: Layer,
    change: Callable[[Any], str],
    options: Mapping[str, Any],
) -> Network:
    """The network with one layer changed; ``InputError`` where that is not a network any more."""
    from google.protobuf import text_format

    from neuralpower.caffe import caffe_pb2 as pb
    from neuralpower.caffe.network import parse_network

    message = pb.NetParameter()
    for other in network.layers:
        copied = message.layer.add()
        copied.CopyFrom(other.param)
        # Phase rules have been applied: this is one network already.
        copied.ClearField("include")
        copied.ClearField("exclude")
        if other is layer and (reason := change(copied)):
            raise InputError(reason)
    text = text_format.MessageToString(message)
    given = _given_shapes(network)
    shapes = {**options.get("blob_shapes", {}), **given}
    changed = parse_network(
        text, path=str(path), name=network.name, **{**options, "blob_shapes": shapes}
    )
    for before, after in zip(network.layers, changed.layers, strict=True):
        if set(after.tops) & set(given) and before.bottom_shapes != after.bottom_shapes:
            raise InputError(f"the output of {after.name} is not known after the change")
        if before.known and not after.known:
            raise InputError(f"{after.name} would not fit")
    return changed


def _given_shapes(network: Network) -> dict[str, tuple[int, ...]]:
    """Outputs of layers whose type has no shape rule: ONNX operators that Caffe does not have."""
    from neuralpower.caffe.layers import find

    return {
        top: shape
        for layer in network.layers
        if find(layer.type) is None and layer.known
        for top, shape in zip(layer.tops, layer.top_shapes, strict=True)
        if shape is not None
    }


def _halve_width(layer: Any) -> str:
    """Halve a layer's outputs in place; the reason where it has none to halve."""
    if layer.type in ("Convolution", "Deconvolution"):
        param = layer.convolution_param
        if param.group == param.num_output:
            return "a depthwise layer is as wide as its input"
        if param.num_output % (2 * param.group):
            return "its outputs cannot be halved"
        param.num_output //= 2
        return ""
    if layer.type == "InnerProduct":
        if layer.inner_product_param.num_output < 2:
            return "its outputs cannot be halved"
        layer.inner_product_param.num_output //= 2
        return ""
    return "its width is that of its input"


def _double_stride(layer: Any) -> str:
    """Double a layer's stride in place; the reason where it has none."""
    if layer.type == "Convolution":
        param = layer.convolution_param
        strides = [2 * stride for stride in param.stride] or [2]
        if param.HasField("stride_h") or param.HasField("stride_w"):
            param.stride_h, param.stride_w = 2 * param.stride_h, 2 * param.stride_w
        else:
            del param.stride[:]
            param.stride.extend(strides)
        return ""
    if layer.type == "Pooling" and not layer.pooling_param.global_pooling:
        param = layer.pooling_param
        if param.HasField("stride_h") or param.HasField("stride_w"):
            param.stride_h, param.stride_w = 2 * param.stride_h, 2 * param.stride_w
        else:
            param.stride *= 2
        return ""
    return "it has no stride"


_CHANGES = (("half_width", "half the outputs"), ("double_stride", "twice the stride"))


def sentences(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a layer in words, for people."""
    from neuralpower.networks.text import number, percent

    lines = []
    for row in rows:
        share = row["energy_share"] if row["energy_share"] is not None else row["runtime_share"]
        what = "energy" if row["energy_share"] is not None else "runtime"
        text = f"{row['rank']}. {row['name']} ({row['type']}): {percent(share)} % of the {what}"
        if row["bound"]:
            text += f", bound by {'arithmetic' if row['bound'] == 'compute' else 'memory'}"
        else:
            text += ", of a kind that the roofline does not cover"
        for key, change in _CHANGES:
            saves, note = row[f"{key}_saves_percent"], row[f"{key}_note"]
            if saves is None:
                text += f"; {change}: not possible ({note})"
            elif saves < 0:
                text += f"; {change} would cost {number(-saves)} % more"
            else:
                text += f"; {change} would save {number(saves)} %"
            if saves is not None and note:
                text += f" ({note})"
        lines.append(text + ".")
    return lines
