"""Why a network costs what it costs: its costliest layers, what bounds them, what changes save.

Savings are computed by changing one layer of the network, setting the network up again as Caffe
would, and predicting all of it: the layers after it change too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralpower.core.cells import Row
from neuralpower.core.errors import InputError
from neuralpower.networks.calibration import Composition
from neuralpower.networks.composition import predict_networks
from neuralpower.networks.estimates import Models, configuration_columns
from neuralpower.networks.reading import Readings

if TYPE_CHECKING:
    from neuralpower.caffe.caffe_pb2 import (
        ConvolutionParameter,
        LayerParameter,
        PoolingParameter,
    )
    from neuralpower.caffe.network import Layer, Network


@dataclass(frozen=True, slots=True)
class Change:
    """A change of one layer: its columns' prefix, its name for people, and what does it.

    ``apply`` changes the layer's message in place and returns the reason where it cannot.
    """

    key: str
    words: str
    apply: Callable[[LayerParameter], str]

    @property
    def columns(self) -> tuple[str, ...]:
        """What is said of the change: savings of a whole pass, and what to know of them."""
        savings = (f"{self.key}_saves_{unit}" for unit in ("percent", "ms", "mj"))
        return (*savings, f"{self.key}_note")


def _halve_width(layer: LayerParameter) -> str:
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


def _double_stride(layer: LayerParameter) -> str:
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
        pooling = layer.pooling_param
        if pooling.HasField("stride_h") or pooling.HasField("stride_w"):
            pooling.stride_h, pooling.stride_w = 2 * pooling.stride_h, 2 * pooling.stride_w
        else:
            pooling.stride *= 2
        return ""
    return "it has no stride"


def _smaller_kernel(layer: LayerParameter) -> str:
    """Take one row from each side of a layer's kernel, and of its padding, in place."""
    if layer.type == "Convolution":
        param = layer.convolution_param
        sizes = [*param.kernel_size, param.kernel_h, param.kernel_w]
        if max(sizes) < 3:
            return "its kernel is the smallest"
        dilation = max([*param.dilation, 1])
        param.kernel_size[:] = [max(size - 2, size % 2) for size in param.kernel_size]
        param.pad[:] = [max(pad - dilation, 0) for pad in param.pad]
        _smaller_sides(param)
    elif layer.type == "Pooling" and not layer.pooling_param.global_pooling:
        pooling = layer.pooling_param
        if max(pooling.kernel_size, pooling.kernel_h, pooling.kernel_w) < 4:
            return "its kernel is small already"
        if pooling.HasField("kernel_size"):
            pooling.kernel_size -= 2
        if pooling.pad:
            pooling.pad -= 1
        _smaller_sides(pooling)
    else:
        return "it has no kernel"
    return ""


def _smaller_sides(param: ConvolutionParameter | PoolingParameter) -> None:
    for name, step in (("kernel_h", 2), ("kernel_w", 2), ("pad_h", 1), ("pad_w", 1)):
        if param.HasField(name):
            setattr(param, name, max(getattr(param, name) - step, 1 if step == 2 else 0))


#: What is tried on each of the costliest layers.
CHANGES = (
    Change("half_width", "half the outputs", _halve_width),
    Change("double_stride", "twice the stride", _double_stride),
    Change("smaller_kernel", "a kernel two smaller", _smaller_kernel),
)
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
    *(name for change in CHANGES for name in change.columns),
)
#: Layers that are explained.
MOST = 5
#: A layer that takes less than so many launches is bound by the launch.
_LAUNCHES = 1.5


def explain(
    path: str | Path,
    models: Models,
    models_dir: str | Path,
    composition: Composition | None = None,
    batch: int | None = None,
    most: int = MOST,
    readings: Readings | None = None,
) -> list[dict[str, object]]:
    """A row (``COLUMNS``) for each of the ``most`` layers that cost most, the costliest first.

    Cost is energy where every modelled layer has it, else runtime. ``bound`` is ``compute`` or
    ``memory`` by the platform's roofline (the stored baseline: the slower of ``compute_ms`` and
    ``memory_ms``), ``memory`` for layers without arithmetic to speak of, and ``launch`` for those
    that take little more than a launch. ``*_saves_percent`` is the part of the whole network's
    cost that a change of the layer (``CHANGES``) would save, ``*_saves_ms`` and ``*_saves_mj``
    what it saves of a pass; None with the reason where the layer or the network does not allow it.
    A saving's note names the sizes that leave the measured range by the change.
    """
    from neuralpower.onnx_in.loading import load_network

    options = {"batch": batch, **(readings or Readings()).of(path).options()}
    network = load_network(path, **options)
    return explain_network(path, network, models, models_dir, composition, most, options)


def explain_network(
    path: str | Path,
    network: Network,
    models: Models,
    models_dir: str | Path,
    composition: Composition | None = None,
    most: int = MOST,
    options: Mapping[str, object] | None = None,
) -> list[dict[str, object]]:
    """``explain`` for a network that is loaded; ``options`` are those that it was loaded with."""
    composition = composition or Composition()
    # Columns are asked for by name here.
    rows: Sequence[Row] = predict_networks([network], models, composition)
    layers = {layer.index: layer for layer in network.layers}
    known = [row for row in rows[:-1] if row["runtime_ms"] is not None]
    by_energy = bool(known) and all(row["energy_mj"] is not None for row in known)
    cost = "energy_mj" if by_energy else "runtime_ms"
    known.sort(key=lambda row: (-row[cost], row["index"]))
    roof = Roof(models_dir, models)

    def saved(layer: Layer, change: Change) -> dict[str, object]:
        found: dict[str, object] = dict.fromkeys(change.columns)
        try:
            other = _changed(path, network, layer, change.apply, options or {})
        except InputError as error:
            return found | {f"{change.key}_note": error.message}
        changed: Sequence[Row] = predict_networks([other], models, composition)
        before, after = rows[-1], changed[-1]
        if _covered(changed) != _covered(rows) or after[cost] is None:
            return found | {f"{change.key}_note": "the changed network is covered differently"}
        found[f"{change.key}_saves_percent"] = 100 * (1 - after[cost] / before[cost])
        for target, unit in (("runtime_ms", "ms"), ("energy_mj", "mj")):
            if before[target] is not None and after[target] is not None:
                found[f"{change.key}_saves_{unit}"] = before[target] - after[target]
        return found | {f"{change.key}_note": _newly_beyond(rows, changed)}

    return [
        {name: row.get(name) for name in COLUMNS}
        | roof.bound(layers[row["index"]], row)
        | {"rank": rank}
        | {k: v for change in CHANGES for k, v in saved(layers[row["index"]], change).items()}
        for rank, row in enumerate(known[:most], 1)
    ]


def _covered(rows: Sequence[Row]) -> list[tuple[bool, bool]]:
    """Which layers have a runtime and an energy: totals of other layers cannot be compared."""
    return [(row["runtime_ms"] is None, row["energy_mj"] is None) for row in rows[:-1]]


def _newly_beyond(before: Sequence[Row], after: Sequence[Row]) -> str | None:
    """Which sizes leave the measured range by a change of the network; None where none do."""
    columns = [
        name
        for old, new in zip(before[:-1], after[:-1], strict=True)
        for name in (new["extrapolates"] or "").split()
        if name not in (old["extrapolates"] or "").split()
    ]
    return f"beyond the measured {' '.join(dict.fromkeys(columns))}" if columns else None


class Roof:
    """What bounds a layer: the roofline that was fitted (or given) beside the models, launches."""

    def __init__(self, models_dir: str | Path, models: Models) -> None:
        from neuralpower.modeling.baselines import load_baselines

        self._models = models
        self._roofs = {
            family: baseline
            for (family, target), baselines in load_baselines(models_dir).items()
            if target == "runtime_ms"
            for baseline in baselines
            if baseline.name == "roofline"
        }

    def bound(self, layer: Layer, row: Row) -> dict[str, object]:
        """``bound``, ``compute_ms``, ``memory_ms`` and ``macs_per_byte`` of a predicted layer."""
        from neuralpower.modeling.models import Model as FittedModel

        found = self._work(layer)
        model = self._models.get(layer.family, "runtime_ms")
        launch_ms = model.launch_ms if isinstance(model, FittedModel) else None
        if launch_ms is not None and row["runtime_ms"] < _LAUNCHES * launch_ms:
            found["bound"] = "launch"
        return found

    def _work(self, layer: Layer) -> dict[str, object]:
        from neuralpower.modeling.features import FeatureTable
        from neuralpower.modeling.terms import TermTable

        size = _bytes(layer)
        found: dict[str, object] = {
            "macs_per_byte": layer.macs / size if layer.macs and size else None
        }
        roof = self._roofs.get(layer.family)
        if roof is None or layer.configuration is None:
            return found | {"bound": "memory" if not layer.macs else None}
        columns = configuration_columns([layer.configuration])
        table = TermTable(FeatureTable(columns, layer.family))
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
    change: Callable[[LayerParameter], str],
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


#: What bounds a layer, in words.
BOUNDS = {"compute": "arithmetic", "memory": "memory", "launch": "the launch of its kernel"}
#: ... one that compares or adds and has no multiply-accumulates, as pooling.
WITHOUT_MACS = "its comparisons and additions, not memory"


def bound_words(row: Row) -> str:
    """What bounds an explained layer, in words; empty where it is not known."""
    if row["bound"] == "compute" and row["macs"] == 0:
        return WITHOUT_MACS
    return BOUNDS[row["bound"]] if row["bound"] else ""


def sentences(rows: Sequence[Row]) -> list[str]:
    """A line for each layer in words, for people."""
    from neuralpower.networks.text import number, percent

    lines = []
    for row in rows:
        share = row["energy_share"] if row["energy_share"] is not None else row["runtime_share"]
        what = "energy" if row["energy_share"] is not None else "runtime"
        text = f"{row['rank']}. {row['name']} ({row['type']}): {percent(share)} % of the {what}"
        if bound := bound_words(row):
            text += f", bound by {bound}"
        else:
            text += ", of a kind that the roofline does not cover"
        for change in CHANGES:
            saves, note = row[f"{change.key}_saves_percent"], row[f"{change.key}_note"]
            if saves is None:
                text += f"; {change.words}: not possible ({note})"
            elif saves < 0:
                text += f"; {change.words} would cost {number(-saves)} % more"
            else:
                text += f"; {change.words} would save {number(saves)} %"
            if saves is not None and note:
                text += f" ({note})"
        lines.append(text + ".")
    return lines
