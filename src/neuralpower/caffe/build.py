"""Setting the layers of a network up one after the other, as Caffe's ``Net::Init`` does."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import neuralpower.caffe.layers  # noqa: F401  (fills the registry)
from neuralpower.caffe.configuration import configuration
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.registry import (
    LAYER_TYPES,
    LayerType,
    Setup,
    UnknownShape,
    check_counts,
)
from neuralpower.caffe.rules import State, included
from neuralpower.caffe.shapes import INT_MAX, LENIENT_MAX, Shape, check_blob, count, shape_text
from neuralpower.columns import Configuration

#: More would not fit the integers of the tables' readers.
MAX_MACS = 2**63 - 1
#: The name that Caffe's log gives a top that a loss layer makes up.
AUTOMATIC = "(automatic)"


@dataclass(frozen=True, slots=True)
class Options:
    """How to read a network; see ``network.load_network``."""

    phase: str = "TEST"
    batch: int | None = None
    strict: bool = False
    data_shape: Shape | None = None
    blob_shapes: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def limit(self) -> int:
        """The most elements that a blob may have."""
        return INT_MAX if self.strict else LENIENT_MAX


@dataclass(slots=True)
class Built:
    """One layer as set up; ``known`` is False where shapes are not known."""

    param: Any
    tops: tuple[str, ...]
    bottom_shapes: list[Shape | None]
    top_shapes: list[Shape | None]
    params: int = 0
    params_shared: int = 0
    macs: int | None = None
    configuration: Configuration | None = None
    known: bool = False
    notes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class BuiltNetwork:
    """All layers, and the blobs that come in and go out."""

    layers: list[Built]
    inputs: dict[str, Shape | None]
    outputs: dict[str, Shape | None]


def build(layers: list[Any], offsets: list[int], state: State, options: Options) -> BuiltNetwork:
    """Keep the layers that the state includes and set them up in order.

    Raises ``Refusal`` with the layer's offset in strict mode where Caffe dies; in lenient mode
    only for a faulty rule, everything else becomes a note of the layer.
    """
    builder = _Builder(options)
    kept: list[tuple[Any, int]] = []
    for param, offset in zip(layers, offsets, strict=True):
        try:
            inside = included(param, state)
        except Refusal as refusal:
            if options.strict:
                raise Refusal(f"layer '{param.name}': {refusal.reason}", offset) from None
            inside = True
        if inside:
            kept.append((param, offset))
    builder.wire(kept)
    for index, (param, offset) in enumerate(kept):
        builder.add(index, param, offset)
    return builder.finish()


class _Builder:
    def __init__(self, options: Options) -> None:
        self.options = options
        self.shapes: dict[str, Shape | None] = {}
        self.owners: dict[str, tuple[Shape, dict[str, float]]] = {}
        self.layers: list[Built] = []
        self.inputs: dict[str, Shape | None] = {}
        self.unused: dict[str, None] = {}
        # Wiring: for each bottom the number of its source top (-1: none), and uses of each top.
        self.sources: list[list[int]] = []
        self.uses: list[int] = []

    # -------------------------------------------------------------------------------- wiring

    def wire(self, kept: list[tuple[Any, int]]) -> None:
        """Find the source of every bottom and count the uses of every top.

        A top that is used more than once gets a Split layer in Caffe; its users then read blobs of
        other names, so that none of them works in place any more.
        """
        last: dict[str, int] = {}
        for param, offset in kept:
            row: list[int] = []
            for name in param.bottom:
                source = last.get(name, -1)
                if source < 0 and self.options.strict and name not in self.options.blob_shapes:
                    self.refuse(param, offset, f"unknown bottom blob '{name}'")
                if source >= 0:
                    self.uses[source] += 1
                row.append(source)
            self.sources.append(row)
            weights = param.loss_weight
            for position, name in enumerate(param.top):
                last[name] = len(self.uses)
                weighted = position < len(weights) and weights[position] != 0
                self.uses.append(int(weighted))

    def in_place(self, index: int, param: Any) -> list[bool]:
        """For each top whether it is the blob of the bottom beside it."""
        sources = self.sources[index]
        return [
            position < len(param.bottom)
            and param.bottom[position] == name
            and (sources[position] < 0 or self.uses[sources[position]] == 1)
            for position, name in enumerate(param.top)
        ]

    # -------------------------------------------------------------------------------- one layer

    def add(self, index: int, param: Any, offset: int) -> None:
        """Set one layer up and remember its tops."""
        kind = LAYER_TYPES.get(param.type)
        tops = self.top_names(param, kind)
        bottoms = [self.bottom_shape(name) for name in param.bottom]
        item = Built(param, tops, bottoms, [None] * len(tops))
        self.layers.append(item)
        in_place = self.in_place(index, param)
        try:
            self.check_structure(param, kind, tops, in_place)
        except Refusal as refusal:
            self.object(item, offset, refusal.reason)
        try:
            self.set_up(item, kind, any(in_place))
        except UnknownShape as unknown:
            self.without_shape(item, offset, str(unknown))
        except Refusal as refusal:
            self.object(item, offset, refusal.reason)
        self.take_tops(item, kind)

    def top_names(self, param: Any, kind: LayerType | None) -> tuple[str, ...]:
        """The layer's tops; a loss without a top is given one."""
        names = tuple(param.top)
        if kind is not None and kind.auto_top and not names:
            return (AUTOMATIC,)
        return names

    def bottom_shape(self, name: str) -> Shape | None:
        self.unused.pop(name, None)
        if name in self.shapes:
            return self.shapes[name]
        shape = self.options.blob_shapes.get(name)
        self.shapes[name] = shape
        self.inputs[name] = shape
        return shape

    def check_structure(
        self, param: Any, kind: LayerType | None, tops: tuple[str, ...], in_place: list[bool]
    ) -> None:
        """The checks that Caffe makes around a layer's own set-up."""
        seen: set[str] = set()
        for position, name in enumerate(param.top):
            if not in_place[position] and (name in self.shapes or name in seen):
                raise Refusal(f"top blob '{name}' is produced by several layers")
            seen.add(name)
        if kind is None:
            return
        if self.options.strict and kind.fork:
            raise Refusal(f"layer type '{param.type}' is not known to BVLC Caffe")
        if len(param.propagate_down) not in (0, len(param.bottom)):
            raise Refusal("propagate_down must be given for every bottom or not at all")
        if kind.engine and getattr(param, kind.engine).engine == 2 and self.options.strict:
            raise Refusal("engine CUDNN is unknown to Caffe without a GPU")
        if any(in_place) and not kind.in_place:
            raise Refusal(f"{kind.name} does not work in place")
        weights = len(param.loss_weight)
        if kind.auto_top and not weights:
            weights = 1
        if weights and weights != len(tops):
            raise Refusal(
                f"loss_weight is given {weights} times for {len(tops)} tops: once a top is needed"
            )

    def set_up(self, item: Built, kind: LayerType | None, in_place: bool) -> None:
        """Run the shape function and take its results over."""
        param, bottoms = item.param, item.bottom_shapes
        if kind is None:
            raise UnknownShape(f"unknown layer type '{param.type}'")
        check_counts(kind, param, len(bottoms), len(item.tops))
        missing = [name for name, shape in zip(param.bottom, bottoms, strict=True) if shape is None]
        if missing and kind.scalar_top and not self.options.strict:
            item.top_shapes[:1] = [()]
        if missing:
            source = "comes from outside: give --blob-shape" if missing[0] in self.inputs else ""
            raise UnknownShape(f"the shape of bottom '{missing[0]}' is unknown {source}".rstrip())
        setup = Setup(
            param,
            [shape for shape in bottoms if shape is not None],
            len(item.tops),
            phase=self.options.phase,
            strict=self.options.strict,
            in_place=in_place,
            data_shape=self.options.data_shape,
            limit=self.options.limit,
        )
        tops = [check_blob(shape, self.options.limit) for shape in kind.shapes(setup)]
        if kind.source:
            tops = [self.outside(name, s) for name, s in zip(item.tops, tops, strict=True)]
        item.top_shapes = list(tops)
        item.notes += setup.notes
        if setup.macs > MAX_MACS:
            raise Refusal(f"more than {MAX_MACS} multiply-accumulates")
        item.macs = setup.macs
        item.known = True
        self.count_params(item, setup.params)
        item.configuration, note = configuration(param, setup.bottoms, tops)
        if note:
            item.notes.append(note)
        elif kind.free:
            item.notes.append("no computation")
        if any(count(shape) > INT_MAX for shape in tops):
            item.notes.append("larger than Caffe's limit of 2^31 - 1 elements")

    def outside(self, name: str, shape: Shape) -> Shape:
        """The shape of a network input after the options."""
        if name in self.options.blob_shapes:
            return self.options.blob_shapes[name]
        if self.options.batch is not None and shape:
            return (self.options.batch, *shape[1:])
        return shape

    def count_params(self, item: Built, params: list[Shape]) -> None:
        """Count the layer's own blobs; those with a name that is known are shared."""
        specs = item.param.param
        if len(specs) > len(params):
            self.complain(item, f"{len(specs)} param entries for {len(params)} parameter blobs")
        for position, shape in enumerate(params):
            size = math.prod(check_blob(shape, self.options.limit))
            item.params += size
            spec = specs[position] if position < len(specs) else None
            if spec is None or not spec.name:
                continue
            if spec.name not in self.owners:
                self.owners[spec.name] = (shape, _multipliers(spec))
                continue
            item.params_shared += size
            self.check_shared(item, spec, shape)

    def check_shared(self, item: Built, spec: Any, shape: Shape) -> None:
        owner, multipliers = self.owners[spec.name]
        if spec.share_mode == spec.PERMISSIVE:
            fits = count(owner) == count(shape)
        else:
            fits = owner == shape
        if not fits:
            self.complain(
                item,
                f"shared parameter '{spec.name}' is {shape_text(owner)} where it comes from and "
                f"{shape_text(shape)} here",
            )
        for name, value in _multipliers(spec).items():
            if multipliers.setdefault(name, value) != value:
                self.complain(item, f"shared parameter '{spec.name}' has another {name} here")

    # ------------------------------------------------------------------------------- outcomes

    def without_shape(self, item: Built, offset: int, reason: str) -> None:
        """A layer whose shape only the options can tell."""
        given = [self.options.blob_shapes.get(name) for name in item.tops]
        item.top_shapes = [
            new if new is not None else old for new, old in zip(given, item.top_shapes, strict=True)
        ]
        if item.tops and None not in item.top_shapes:
            item.known = True
            item.macs = 0
        if item.tops and None not in given:
            return
        self.object(item, offset, f"shape unknown: {reason}" if not self.options.strict else reason)

    def object(self, item: Built, offset: int, reason: str) -> None:
        """Refuse in strict mode, note in lenient mode."""
        if self.options.strict:
            self.refuse(item.param, offset, reason)
        if reason not in item.notes:
            item.notes.append(reason)

    def complain(self, item: Built, reason: str) -> None:
        """A fault that leaves the shapes intact."""
        if self.options.strict:
            raise Refusal(reason)
        item.notes.append(reason)

    def refuse(self, param: Any, offset: int, reason: str) -> NoReturn:
        name = param.name[:60] or "without a name"
        raise Refusal(f"layer '{name}' ({param.type[:60]}): {reason}", offset)

    def take_tops(self, item: Built, kind: LayerType | None) -> None:
        for name, shape in zip(item.tops, item.top_shapes, strict=True):
            if name == AUTOMATIC and not item.param.top:
                continue
            self.shapes[name] = shape
            self.unused[name] = None
            if kind is not None and kind.name == "Input":
                self.inputs[name] = shape

    def finish(self) -> BuiltNetwork:
        """The network once all layers are in."""
        outputs = {name: self.shapes[name] for name in self.unused}
        return BuiltNetwork(self.layers, self.inputs, outputs)


def _multipliers(spec: Any) -> dict[str, float]:
    return {name: getattr(spec, name) for name in ("lr_mult", "decay_mult") if spec.HasField(name)}
