"""An ONNX file as a network: the layer table of its operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.caffe.build import BuiltNetwork, build
from neuralpower.caffe.layer import Layer
from neuralpower.caffe.network import Network
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.rules import State
from neuralpower.caffe.wiring import Options
from neuralpower.core import cost
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.onnx_in.marks import marked_layers
from neuralpower.onnx_in.model import Shape, read_model
from neuralpower.onnx_in.operators import arithmetic, dense, pointwise, shaping, windows
from neuralpower.onnx_in.shapes import Values, read_graph
from neuralpower.onnx_in.translator import Entry, Translator, by_hand_type, translate

if TYPE_CHECKING:
    from neuralpower.caffe.caffe_pb2 import LayerParameter

_REGISTERED = (arithmetic, dense, pointwise, shaping, windows)
#: Layers whose result turns out to differ from the model's are listed by hand; more rounds than
#: this are never needed, since each one settles the first layer of every branch.
_ROUNDS = 50
_STATE = State("TEST", 0, frozenset())


def load_onnx(
    path: str | Path,
    *,
    batch: int | None = None,
    blob_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """Read an ONNX model as a network of Caffe layers, ready to be listed or predicted.

    ``batch`` replaces the first size of every input, ``blob_shapes`` (input name: sizes) its whole
    shape; an open first size is 1 otherwise. Layers are those of the file, in its order: an
    operator that no layer expresses is a row with its ONNX name and without a family.
    Raises ``InputError`` naming the file, and the node where there is one.
    """
    model = read_model(path)
    given = {name: tuple(shape) for name, shape in (blob_shapes or {}).items()}
    marked = marked_layers(model)
    try:
        nodes, values = read_graph(model, batch=batch, given=given, path=path)
        built = _by_operators(translate(nodes, values))
        if marked:
            built = _by_marks(marked, values, built)
    except Refusal as refusal:
        raise InputError(refusal.reason, path=path) from None
    except InputError as error:
        raise InputError(error.message, path=path) from None
    name = Path(path).name.removesuffix(".onnx")
    network = Network(name, model.graph.name, notes=values.notes)
    network.layers, network.inputs, network.outputs = built.layers, built.inputs, built.outputs
    return network


def _by_operators(translator: Translator) -> BuiltNetwork:
    """Set the layers up as Caffe does, and hold every shape against the model's own."""
    entries = translator.entries
    for _ in range(_ROUNDS):
        known = {
            translator.blob(value): shape
            for entry in entries
            if entry.by_hand
            for value in entry.values
            if (shape := translator.shape(value)) is not None
        }
        built = _set_up([entry.message for entry in entries], known)
        differing = [
            entry
            for entry, layer in zip(entries, built.layers, strict=True)
            if not entry.by_hand and _differs(translator, entry, layer)
        ]
        if not differing:
            break
        for entry in differing:
            _list_by_hand(entry, translator)
    for entry, layer in zip(entries, built.layers, strict=True):
        _complete(entry, layer)
    return built


def _set_up(messages: Sequence[LayerParameter], known: Mapping[str, Shape]) -> BuiltNetwork:
    return build(messages, [-1] * len(messages), _STATE, Options(blob_shapes=known))


def _differs(translator: Translator, entry: Entry, layer: Layer) -> bool:
    """Whether Caffe's shapes of a layer's tops are not those of the model."""
    if None in layer.bottom_shapes:
        return False
    expected = [translator.shape(value) for value in entry.values]
    pairs = zip(expected, layer.top_shapes, strict=False)
    return any(mine is not None and mine != theirs for mine, theirs in pairs)


def _list_by_hand(entry: Entry, translator: Translator) -> None:
    """A layer that Caffe computes differently: under its ONNX name, with the model's shapes."""
    entry.by_hand = True
    entry.message.type = by_hand_type(entry.node)
    if not entry.params:
        entry.params = translator.own_weights(entry.node)
    if entry.configuration is not None and min(entry.configuration.groups, *_sizes(entry)) < 1:
        entry.configuration = None
        entry.note = "; ".join(t for t in (entry.note, "an empty blob or size") if t)
    if entry.configuration is not None:
        entry.macs = cost.macs(entry.configuration)
        notes = (entry.note, "no Caffe layer has this output size")
        entry.note = "; ".join(text for text in notes if text)


def _sizes(entry: Entry) -> tuple[int, ...]:
    """Batch, sizes, kernel and stride of an entry that has a configuration: all from 1 on."""
    found = entry.configuration
    if found is None:
        return (1,)
    return tuple(int(getattr(found, name)) for name in CONFIGURATION_COLUMNS[1:12])


def _complete(entry: Entry, layer: Layer) -> None:
    """The figures of a layer that Caffe does not know, and the notes."""
    notes: list[str] = [entry.note] if entry.note else []
    if entry.by_hand:
        layer.params, layer.configuration = entry.params, entry.configuration
        layer.family = entry.configuration.family if entry.configuration else ""
        layer.macs = entry.macs if layer.known else None
        if not layer.family:
            notes.insert(0, "an operator without a model family")
        if not layer.known:
            notes.append("shape unknown")
    elif layer.note:
        notes.append(layer.note)
    layer.note = "; ".join(notes)


def _by_marks(
    marked: Sequence[LayerParameter], values: Values, operators: BuiltNetwork
) -> BuiltNetwork:
    """The layers that the marks name, if they are what the operators compute."""
    try:
        built = _set_up(marked, values.inputs)
    except Refusal:
        built = None
    if built is not None and _fits(built, values) and _products(built) == _products(operators):
        return built
    values.notes.append("its marks do not fit its operators: the operators are listed")
    return operators


def _fits(built: BuiltNetwork, values: Values) -> bool:
    """Whether the last value of every blob has the shape that it has in the model."""
    shapes = {
        name: shape
        for layer in built.layers
        for name, shape in zip(layer.tops, layer.top_shapes, strict=True)
    }
    return all(shape == values.shapes.get(name, shape) for name, shape in shapes.items())


def _products(built: BuiltNetwork) -> Counter[Configuration]:
    """The layers with a matrix product."""
    return Counter(
        layer.configuration
        for layer in built.layers
        if layer.configuration is not None and layer.family in ("conv", "deconv", "fc")
    )
