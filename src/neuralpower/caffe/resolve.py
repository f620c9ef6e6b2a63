"""A layer of the layer table to its typed operation."""

from __future__ import annotations

from collections.abc import Sequence

from neuralpower.caffe.layer import Layer
from neuralpower.caffe.layers import find
from neuralpower.caffe.operation import LayerFacts, Operation, Source, Weight, unsupported
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.registry import check_counts
from neuralpower.caffe.shapes import Shape


def resolve(layer: Layer) -> Operation:
    """What a layer computes.

    Raises ``InputError`` when a shape is not known, or the type is none that can be run.
    """
    kind = find(layer.type)
    if not layer.bottoms and (kind is None or kind.source):
        return Source(LayerFacts(layer.name, layer.type, (), _known(layer, layer.top_shapes)))
    if kind is None or kind.operation is None:
        why = "this layer type has no operation: it cannot be run"
        raise unsupported(layer.name, layer.type, why)
    bottoms, tops = _known(layer, layer.bottom_shapes), _known(layer, layer.top_shapes)
    if not layer.known:
        raise unsupported(layer.name, layer.type, layer.note)
    facts = LayerFacts(layer.name, layer.type, bottoms, tops, _weights(layer, kind.kinds))
    try:
        check_counts(kind, layer.param, len(bottoms), len(tops))
        made: Operation = kind.operation(facts, layer.param)
    except Refusal as refusal:
        raise unsupported(layer.name, layer.type, refusal.reason) from None
    return made


def _known(layer: Layer, shapes: Sequence[Shape | None]) -> tuple[Shape, ...]:
    found = tuple(shape for shape in shapes if shape is not None)
    if len(found) != len(shapes):
        what = "output" if shapes is layer.top_shapes else "input"
        raise unsupported(layer.name, layer.type, f"the shape of its {what} is not known")
    return found


def _weights(layer: Layer, kinds: Sequence[str]) -> tuple[Weight, ...]:
    specs = layer.param.param
    return tuple(
        Weight(
            layer.name,
            index,
            shape,
            kinds[index] if index < len(kinds) else "filter" if len(shape) > 1 else "bias",
            specs[index].name if index < len(specs) else "",
        )
        for index, shape in enumerate(layer.param_shapes)
    )


def layer_text(layer: Layer) -> str:
    """A layer as one line of a prototxt: a model says of its operators which layers they are."""
    from google.protobuf import text_format

    message = type(layer.param)()
    message.CopyFrom(layer.param)
    for field in ("include", "exclude", "blobs"):
        message.ClearField(field)
    return f"layer {{ {text_format.MessageToString(message, as_one_line=True)} }}"
