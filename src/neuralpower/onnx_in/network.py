"""An ONNX file as a network: the layer table of its operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuralpower.caffe.build import Layer, Options, build
from neuralpower.caffe.network import Network
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.rules import State
from neuralpower.errors import InputError
from neuralpower.onnx_in import operators  # noqa: F401 - registers the operators
from neuralpower.onnx_in.model import plain_nodes, read_model
from neuralpower.onnx_in.shapes import Shape, find_values
from neuralpower.onnx_in.translator import Entry, Translator, translate

#: Layers whose result turns out to differ from the model's are listed by hand; more rounds than
#: this are never needed, since each one settles the first layer of every branch.
_ROUNDS = 50


def load_onnx(
    path: str | Path,
    *,
    batch: int | None = None,
    blob_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """Read an ONNX model as a network of Caffe layers, ready to be listed or predicted.

    ``batch`` replaces the first size of every input, ``blob_shapes`` (input name: sizes) its whole
    shape; an open first size is 1 otherwise. Layers are those of the file, in its order: an
    operator that no layer stands for is a row with its ONNX name and without a family.
    Raises ``InputError`` naming the file, and the node where there is one.
    """
    model = read_model(path)
    nodes = plain_nodes(model)
    given = {name: tuple(shape) for name, shape in (blob_shapes or {}).items()}
    values = find_values(model, nodes, batch=batch, given=given, path=path)
    try:
        translator = translate(nodes, values)
        layers, inputs, outputs = _build(translator)
    except Refusal as refusal:
        raise InputError(refusal.reason, path=path) from None
    except InputError as error:
        raise InputError(error.message, path=path) from None
    name = Path(path).name.removesuffix(".onnx")
    network = Network(name, model.graph.name, notes=values.notes)
    network.layers, network.inputs, network.outputs = layers, inputs, outputs
    return network


def _build(
    translator: Translator,
) -> tuple[list[Layer], dict[str, Shape | None], dict[str, Shape | None]]:
    """Set the layers up as Caffe does, and hold every shape against the model's own."""
    entries = translator.entries
    state = State("TEST", 0, frozenset())
    for _ in range(_ROUNDS):
        known = {
            translator.blob(value): shape
            for entry in entries
            if entry.by_hand
            for value in entry.values
            if (shape := translator.shape(value)) is not None
        }
        messages = [entry.message for entry in entries]
        built = build(messages, [-1] * len(messages), state, Options(blob_shapes=known))
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
    return built.layers, built.inputs, built.outputs


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
    entry.message.type = entry.node.op
    if not entry.params:
        entry.params = translator.own_weights(entry.node)
    if entry.configuration is not None:
        from neuralpower import cost

        entry.macs = cost.macs(entry.configuration)
        entry.note = "; ".join(
            text for text in (entry.note, "no Caffe layer has this output size") if text
        )


def _complete(entry: Entry, layer: Layer) -> None:
    """The figures of a layer that Caffe does not know, and the notes."""
    notes: list[str] = [entry.note] if entry.note else []
    if entry.by_hand:
        layer.params, layer.configuration = entry.params, entry.configuration
        layer.family = entry.configuration.family if entry.configuration else ""
        layer.macs = entry.macs if layer.known else None
        if not layer.family:
            notes.insert(0, f"ONNX operator {layer.type}: no model family")
        if not layer.known:
            notes.append("shape unknown")
    elif layer.note:
        notes.append(layer.note)
    layer.note = "; ".join(notes)
