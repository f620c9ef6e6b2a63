"""Setting the layers of a network up one after the other, as Caffe's ``Net::Init`` does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from neuralpower.caffe.caffe_pb2 import LayerParameter, ParamSpec
from neuralpower.caffe.configuration import configuration
from neuralpower.caffe.document import Doubt
from neuralpower.caffe.layer import Layer
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.registry import LayerType, Setup, UnknownShape, check_counts
from neuralpower.caffe.rules import State
from neuralpower.caffe.shapes import (
    INT_MAX,
    SCALAR,
    Shape,
    check_blob,
    count,
    dims,
    shape_text,
)
from neuralpower.caffe.wiring import Entry, Options, select
from neuralpower.core.slips import CLOSE

#: More would not fit the integers of the tables' readers.
MAX_MACS = 2**63 - 1
#: The name that Caffe gives a top that a loss layer makes up.
AUTOMATIC = "(automatic)"
_CUDNN = 2
#: Bottoms or tops of one layer; real networks stay below some hundreds.
MAX_BLOBS = 50_000


@dataclass(slots=True)
class BuiltNetwork:
    """All layers, and the blobs that come in and go out."""

    layers: list[Layer]
    inputs: dict[str, Shape | None]
    outputs: dict[str, Shape | None]
    #: Whether a layer has asked for the shape of one item of data.
    data_asked: bool


def build(
    layers: Iterable[LayerParameter],
    offsets: Iterable[int],
    state: State,
    options: Options,
    doubts: Mapping[int, Sequence[Doubt]] | None = None,
) -> BuiltNetwork:
    """Keep the layers that the state includes and set them up in order.

    ``doubts`` are what the parser did not understand, by the offset of the layer. In strict mode
    raises ``Refusal`` with the layer's place where Caffe dies; in lenient mode a fault becomes a
    note of the layer, but for a layer without a type: nothing can be known of it.
    """
    for name, shape in options.blob_shapes.items():
        try:
            check_blob(shape, options.limit)
        except Refusal as refusal:
            raise Refusal(f"blob shape of '{name}': {refusal.reason}") from None
    entries, absent = select(layers, offsets, state, options, doubts or {})
    for entry in entries:
        # Where something in it was not understood, that may be the type, and is said.
        given = any(name in options.blob_shapes for name in entry.tops)
        if not (entry.param.type or entry.kind or entry.doubts or given):
            name = f" '{entry.param.name[:60]}'" if entry.param.name else ""
            raise Refusal(f'the layer{name} has no type: write one, as type: "ReLU"', entry.offset)
    builder = _Builder(options, absent)
    built = [builder.add(index, entry) for index, entry in enumerate(entries)]
    outputs = {name: builder.shapes[name] for name in builder.unused}
    return BuiltNetwork(built, builder.inputs, outputs, builder.data_asked)


#: Blobs from outside that are looked at for slips.
_MOST_SLIPS = 20


class _Builder:
    """The blobs of the network so far."""

    def __init__(self, options: Options, absent: Mapping[str, Iterable[str]]) -> None:
        self.options = options
        #: Blobs that only layers outside the current state make, and how to have those.
        self.absent = absent
        #: The layer that last made each blob; of one without a shape the layer where that began.
        self.makers: dict[str, str] = {}
        self.strict = options.strict
        self.limit = options.limit
        self.data_asked = False
        self.shapes: dict[str, Shape | None] = {}
        self.inputs: dict[str, Shape | None] = {}
        self.unused: dict[str, None] = {}
        self.owners: dict[str, tuple[Shape, dict[str, float]]] = {}

    def add(self, index: int, entry: Entry) -> Layer:
        """Set one layer up and remember its tops."""
        param, kind, tops = entry.param, entry.kind, entry.tops
        shapes = tuple([self.bottom_shape(name) for name in entry.bottoms])
        if kind is not None and kind.auto_top and not tops:
            tops = (AUTOMATIC,)
        unknown = (None,) * len(tops)
        layer = Layer(index, param.name, param.type, entry.bottoms, tops, shapes, unknown, param)
        layer.offset = entry.offset
        reason = ""
        try:
            self.check_structure(entry, len(tops))
        except Refusal as refusal:
            self.object(entry, refusal.reason)
        try:
            self.set_up(layer, entry)
        except UnknownShape as why:
            reason = str(why)
            if why.tops:
                layer.top_shapes = tuple(
                    shape and self.outside(name, shape, True)
                    for name, shape in zip(tops, why.tops, strict=True)
                )
            self.without_shape(layer, entry, reason)
        except Refusal as refusal:
            reason = refusal.reason
            self.object(entry, reason)
        pairs = zip(entry.bottoms, shapes, strict=True)
        begins = next(
            (self.makers[name] for name, shape in pairs if shape is None and name in self.makers),
            None,
        )
        if begins is None and not layer.known:
            layer.unknown = reason
        for name, shape in zip(entry.tops, layer.top_shapes, strict=False):
            self.shapes[name] = shape
            self.unused[name] = None
            self.makers[name] = layer.name if shape or begins is None else begins
            if layer.type == "Input":
                self.inputs[name] = shape
        layer.doubts, layer.assumed = tuple(entry.doubts), tuple(entry.assumed)
        layer.note = entry.note()
        return layer

    def bottom_shape(self, name: str) -> Shape | None:
        """The shape of a blob that is read; one that no layer makes comes from outside."""
        self.unused.pop(name, None)
        if name not in self.shapes:
            self.shapes[name] = self.inputs[name] = self.options.blob_shapes.get(name)
        return self.shapes[name]

    # -------------------------------------------------------------------------------- checks

    def check_structure(self, entry: Entry, n_tops: int) -> None:
        """The checks that Caffe makes around a layer's own set-up."""
        param, kind = entry.param, entry.kind
        seen: set[str] = set()
        for position, name in enumerate(entry.tops):
            in_place = position < len(entry.in_place) and entry.in_place[position]
            if not in_place and (name in self.shapes or name in seen):
                raise Refusal(f"top blob '{name}' is produced by several layers")
            seen.add(name)
        if kind is None:
            return
        if self.strict and kind.fork:
            raise Refusal(f"layer type '{param.type[:60]}' is not known to BVLC Caffe")
        if self.strict and kind.engine and getattr(param, kind.engine).engine == _CUDNN:
            raise Refusal("engine CUDNN is unknown to Caffe without a GPU")
        if len(param.propagate_down) not in (0, len(entry.bottoms)):
            raise Refusal("propagate_down must be given for every bottom or not at all")
        rule = kind.in_place
        allowed = rule(param, n_tops) if callable(rule) else rule
        if not allowed and any(entry.in_place):
            raise Refusal(f"{kind.name} does not work in place")
        weights = len(entry.weights) or int(kind.auto_top)
        if weights and weights != n_tops:
            raise Refusal(
                f"loss_weight is given {weights} times for {n_tops} tops: once a top is needed"
            )
        if kind.inner_top and weights > 1:
            raise Refusal(
                f"loss_weight is given {weights} times, for the one top of the Softmax inside too: "
                f"once a top is needed (1 vs. {weights})"
            )

    def count_params(self, layer: Layer, entry: Entry, params: list[Shape]) -> None:
        """Count the layer's own blobs; those with a name that is known are shared."""
        specs = entry.param.param
        n_specs = len(specs)
        layer.param_shapes = tuple(params)
        if n_specs > len(params):
            self.object(entry, f"{n_specs} param entries for {len(params)} parameter blobs")
        for position, shape in enumerate(params):
            size = math.prod(check_blob(shape, self.limit))
            layer.params += size
            if position >= n_specs or not specs[position].name:
                continue
            spec = specs[position]
            if spec.name in self.owners:
                layer.params_shared += size
                self.check_shared(entry, spec, shape)
            else:
                self.owners[spec.name] = (shape, _multipliers(spec))

    def check_shared(self, entry: Entry, spec: ParamSpec, shape: Shape) -> None:
        """A shared parameter must fit its owner's shape and its learning rates."""
        owner, multipliers = self.owners[spec.name]
        if spec.share_mode == spec.PERMISSIVE:
            fits = count(owner) == count(shape)
        else:
            fits = owner == shape
        if not fits:
            self.object(
                entry,
                f"shared parameter '{spec.name}' is {shape_text(owner)} where it comes from and "
                f"{shape_text(shape)} here",
            )
        for name, value in _multipliers(spec).items():
            if multipliers.setdefault(name, value) != value:
                self.object(entry, f"shared parameter '{spec.name}' has another {name} here")

    # ------------------------------------------------------------------------------- one layer

    def set_up(self, layer: Layer, entry: Entry) -> None:
        """Run the shape function and take its results over."""
        kind, options = entry.kind, self.options
        if kind is None:
            self.unknown_type(layer, entry)
            return
        try:
            check_counts(kind, entry.param, len(layer.bottoms), len(layer.tops), self.strict)
        except Refusal as refusal:
            if self.strict or not kind.scalar_top or len(layer.tops) != 1:
                raise
            # Whatever it lacks, the one top of a loss is a number.
            layer.top_shapes, layer.known, layer.macs = (SCALAR,), True, 0
            entry.notes.append(refusal.reason)
            return
        if max(len(layer.bottoms), len(layer.tops)) > MAX_BLOBS:
            raise Refusal(f"more than {MAX_BLOBS} bottoms or tops")
        if None in layer.bottom_shapes:
            self.missing_bottom(layer, kind)
        setup = Setup(
            entry.param,
            list(layer.bottom_shapes),  # type: ignore[arg-type]
            len(layer.tops),
            options.phase,
            self.strict,
            options.data_shape,
            self.limit,
        )
        try:
            tops = kind.shapes(setup)
        finally:
            self.data_asked |= setup.asked
        if kind.source or kind.given:
            pairs = zip(layer.tops, tops, strict=True)
            tops = [self.outside(name, top, kind.source) for name, top in pairs]
        layer.top_shapes = tuple([check_blob(shape, self.limit) for shape in tops])
        entry.notes += setup.notes
        entry.doubts += setup.doubts
        entry.assumed += setup.assumed
        self.check_weighted(entry, layer.top_shapes)
        if setup.macs > MAX_MACS:
            raise Refusal(f"more than {MAX_MACS} multiply-accumulates")
        self.count_params(layer, entry, setup.params)
        layer.macs, layer.known = setup.macs, True
        layer.configuration, note = configuration(entry.param, setup.bottoms, tops)
        if layer.configuration is not None:
            layer.family = layer.configuration.family
        if note or kind.free:
            entry.notes.append(note or "no computation")
        if not self.strict and any(count(shape) > INT_MAX for shape in tops):
            entry.notes.append("larger than Caffe's limit of 2^31 - 1 elements")

    def unknown_type(self, layer: Layer, entry: Entry) -> None:
        """A type that nobody knows: its shape is its bottom's only if it works in place."""
        options, bottoms = self.options, layer.bottom_shapes
        one = len(bottoms) == len(layer.tops) == 1 and None not in bottoms
        given = layer.tops[0] in options.blob_shapes if layer.tops else False
        in_place = any(entry.in_place)
        lenient = not (options.strict or options.known_types or given)
        if not (one and lenient and (options.assume_elementwise or in_place)):
            remedy = "give --blob-shape"
            if len(bottoms) == len(layer.tops) == 1:
                remedy += " (or --assume-elementwise)"
            raise UnknownShape(f"unknown layer type '{layer.type[:60]}': {remedy}")
        layer.top_shapes, layer.known, layer.macs = bottoms, True, 0
        kept = f"layer type '{layer.type[:60]}' is unknown"
        if options.assume_elementwise:
            entry.assumed.append(f"{kept} and keeps the shape")
        else:
            entry.doubts.append(f"{kept}; it works in place, so its shape is taken to stay")

    def check_weighted(self, entry: Entry, tops: Sequence[Shape | None]) -> None:
        """A loss weight is written into its blob at once, so that blob cannot be empty."""
        for weight, shape in zip(entry.param.loss_weight, tops, strict=False):
            if weight and shape is not None and count(shape) == 0:
                self.object(entry, f"a loss_weight on an empty top ({shape_text(shape)})")

    def missing_bottom(self, layer: Layer, kind: LayerType) -> NoReturn:
        """Tell which bottom has no shape; the first top of a loss is a number all the same."""
        if kind.scalar_top and not self.strict:
            layer.top_shapes = (SCALAR, *layer.top_shapes[1:])
        name = layer.bottoms[layer.bottom_shapes.index(None)]
        if name in self.makers:
            why = f"layer '{self.makers[name][:60]}' has none"
        elif name in self.absent:
            why = "; or ".join(list(self.absent[name])[:3])
        else:
            why = "it comes from outside, give --blob-shape"
            why += self.likely(name)
        raise UnknownShape(f"the shape of bottom '{name[:60]}' is unknown: {why}")

    def likely(self, name: str) -> str:
        """The made blob that a name is probably a slip of, in words; of the first few names only,
        as each is compared with all."""
        if len(self.inputs) > _MOST_SLIPS:
            return ""
        from difflib import get_close_matches

        found = get_close_matches(name[:60], list(self.makers), 1, CLOSE)
        return f" (or is it '{found[0][:60]}'?)" if found else ""

    def outside(self, name: str, shape: Shape, is_input: bool) -> Shape:
        """The shape of a blob that comes from outside, after the options."""
        if name in self.options.blob_shapes:
            return self.options.blob_shapes[name]
        if self.options.batch is not None and shape and is_input:
            return (self.options.batch, *shape[1:])
        return shape

    def without_shape(self, layer: Layer, entry: Entry, reason: str) -> None:
        """A layer whose shapes only the options can tell, or shapes where a fork puts them."""
        given = [self.options.blob_shapes.get(name) for name in layer.tops]
        if None in given and not (self.strict or layer.bottoms):
            given = self.dialect(layer, entry, given)
        layer.top_shapes = tuple(
            [
                known if new is None else new
                for new, known in zip(given, layer.top_shapes, strict=True)
            ]
        )
        if layer.tops and None not in layer.top_shapes:
            layer.known, layer.macs = True, 0
            if entry.kind is not None and entry.kind.free:
                entry.notes.append("no computation")
        if not layer.tops or None in given:
            if entry.kind is None and self.options.known_types:
                entry.refuse(f"{reason}, or correct the type if it is misspelt")
            self.object(entry, reason if self.strict or layer.known else f"shape unknown: {reason}")

    def dialect(self, layer: Layer, entry: Entry, given: list[Shape | None]) -> list[Shape | None]:
        """Netscope's files give data layers of any type the ``input_param`` of an Input layer."""
        shapes = [dims(shape) for shape in entry.param.input_param.shape]
        if len(shapes) not in (1, len(given)):
            return given
        shapes = shapes * len(given) if len(shapes) == 1 else shapes
        entry.notes.append("the shape is that of its input_param")
        tops = zip(layer.tops, shapes, strict=True)
        return [check_blob(self.outside(name, shape, True), self.limit) for name, shape in tops]

    def object(self, entry: Entry, reason: str) -> None:
        """Refuse in strict mode, note in lenient mode."""
        if self.strict:
            entry.refuse(reason)
        entry.notes.append(reason)


def _multipliers(spec: ParamSpec) -> dict[str, float]:
    return {name: getattr(spec, name) for name in ("lr_mult", "decay_mult") if spec.HasField(name)}
