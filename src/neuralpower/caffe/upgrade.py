"""Caffe's upgrades of older prototxts, as it makes them on reading a file.

The rules are those of BVLC Caffe's ``upgrade_proto.cpp``; what Caffe dies of is a ``Refusal``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.aliases import normalise
from neuralpower.caffe.caffe_pb2 import BlobShape, LayerParameter, NetParameter
from neuralpower.caffe.refusal import Refusal

#: Far more than any network has.
MAX_INPUTS = 50_000


@dataclass(slots=True, eq=False)
class Upgraded:
    """The layers of a network in the current format.

    ``offsets[i]`` is where layer ``i`` is in the file; of the one made from the input fields, where
    their sizes are.
    """

    layers: list[LayerParameter]
    offsets: list[int]
    notes: list[str] = field(default_factory=list)


def upgrade(net: NetParameter, offsets: dict[str, list[int]], *, strict: bool = False) -> Upgraded:
    """Bring a parsed ``NetParameter`` to the current format, as Caffe does on reading a file.

    ``offsets`` are the parser's, for ``layer`` and ``layers``. The message is changed in place.
    Raises ``Refusal`` where Caffe dies.
    """
    result = Upgraded(list(net.layer), list(offsets.get("layer", ())))
    if net.layers:
        if net.layer:
            reason = (
                "both 'layer' and 'layers' entries: the file mixes the current format and the "
                "older one; rewrite the 'layers' entries as 'layer'"
            )
            if strict:
                raise Refusal(reason)
            result.notes.append(reason)
        _upgrade_layers(net, list(offsets.get("layers", ())), result)
    _upgrade_input(net, offsets, result, strict)
    for entry in result.layers:
        if not strict:
            normalise(entry)
        if entry.type == "BatchNorm" and len(entry.param) == 3:
            for spec in entry.param:
                spec.lr_mult = 0.0
                spec.decay_mult = 0.0
    return result


def _upgrade_layers(net: NetParameter, places: list[int], result: Upgraded) -> None:
    """Add the ``layers`` entries, V0 or V1, to the result in the order of the file."""
    from neuralpower.caffe.legacy import upgrade_layers

    layers, places = upgrade_layers(net, places, result.notes)
    result.layers += layers
    result.offsets += places
    order = sorted(range(len(result.offsets)), key=result.offsets.__getitem__)
    result.layers = [result.layers[index] for index in order]
    result.offsets = [result.offsets[index] for index in order]


def _upgrade_input(
    net: NetParameter, offsets: dict[str, list[int]], result: Upgraded, strict: bool
) -> None:
    """Turn ``input`` with ``input_shape`` or ``input_dim`` into one Input layer named input."""
    if not net.input:
        return
    if len(net.input) > MAX_INPUTS:
        raise Refusal(f"{len(net.input)} inputs: at most {MAX_INPUTS} are read")
    names, shapes, dims = list(net.input), list(net.input_shape), list(net.input_dim)
    if shapes or dims:
        layer = pb.LayerParameter(name="input", type="Input", top=names)
        places = next(filter(None, map(offsets.get, ("input_shape", "input_dim", "input"))), [-1])
        place = places[0]
        for index, name in enumerate(names):
            shape = layer.input_param.shape.add()
            if index < len(shapes):
                shape.dim.extend(shapes[index].dim)
            elif not shapes and 4 * index + 4 <= len(dims):
                shape.dim.extend(dims[4 * index : 4 * index + 4])
            else:
                given = "input_shape" if shapes else "four input_dim values"
                reason = f"input '{name}' has no {given}"
                if strict:
                    raise Refusal(reason, place)
                result.notes.append(reason)
                _lenient_shape(shape, shapes, dims, index, len(names))
        result.layers.insert(0, layer)
        result.offsets.insert(0, place)


def _lenient_shape(
    shape: BlobShape, shapes: list[BlobShape], dims: list[int], index: int, inputs: int
) -> None:
    """What a fork may mean by fewer shapes: the dimensions of a lone input that is not 4-d."""
    if index == 0 and not shapes and inputs == 1:
        shape.dim.extend(dims)
