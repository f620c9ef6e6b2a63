"""Which layers a network has, and how their blobs are wired, before any is set up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.document import Doubt
from neuralpower.caffe.layers import canonical, described, find
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.registry import LayerType
from neuralpower.caffe.rules import State, elsewhere, included
from neuralpower.caffe.shapes import INT_MAX, LENIENT_MAX, Shape

#: Parameters that only layers that bring data have.
_DATA_BLOCKS = ("transform_param", "data_param", "image_data_param", "dense_image_data_param",
                "window_data_param", "video_data_param")  # fmt: skip


@dataclass(slots=True)
class Options:
    """How to read a network; see ``network.load_network``."""

    phase: str = "TEST"
    batch: int | None = None
    strict: bool = False
    known_types: bool = False
    assume_elementwise: bool = False
    data_shape: Shape | None = None
    blob_shapes: Mapping[str, Shape] = field(default_factory=dict)

    @property
    def limit(self) -> int:
        """The most elements that a blob may have."""
        return INT_MAX if self.strict else LENIENT_MAX


class Entry:
    """A layer that the state includes, with its wiring."""

    __slots__ = (
        "assumed",
        "bottoms",
        "doubts",
        "in_place",
        "kind",
        "notes",
        "offset",
        "param",
        "sources",
        "tops",
        "weights",
    )

    def __init__(self, param: LayerParameter, offset: int, doubts: Sequence[Doubt]) -> None:
        self.param = param
        self.offset = offset
        self.bottoms: tuple[str, ...] = tuple(param.bottom)
        self.tops: tuple[str, ...] = tuple(param.top)
        self.kind: LayerType | None = find(param.type)
        self.sources: list[int] = []
        self.in_place: list[bool] = []
        self.notes: list[str] = []
        self.doubts: list[str] = [doubt.text for doubt in doubts if self.concerned(doubt.block)]
        self.assumed: list[str] = []
        #: The loss weights that are left when Caffe has moved those of shared tops to Splits.
        self.weights: list[float] = list(param.loss_weight)

    def concerned(self, block: str) -> bool:
        """Whether an unknown parameter block may change the layer.

        The blocks of forks' types that matter are in the schema: another one does not, but for one
        that has the type's own name.
        """
        if not block or self.kind is None or not self.kind.fork:
            return not block or self.kind is not None
        return (
            not self.kind.plain
            and block.removesuffix("_param").replace("_", "") in self.param.type.lower()
        )

    def note(self) -> str:
        """The layer's note: doubts first, then defaults, then remarks."""
        doubts = [f"not sure: {text}" for text in self.doubts]
        assumed = [f"assumed: {text}" for text in self.assumed]
        return "; ".join(dict.fromkeys([*doubts, *assumed, *self.notes]))

    def respell(self) -> None:
        """Take the type that another spelling means, or the one whose parameters a layer has."""
        name = canonical(self.param.type) or described(self.param)
        if name is not None:
            self.doubts.append(f"unknown layer type '{self.param.type[:60]}', read as {name}")
            self.param.type, self.kind = name, find(name)
        elif self.tops and not self.bottoms and self.brings_data():
            self.kind = find("AnyData")

    def brings_data(self) -> bool:
        """Whether a layer of an unknown type without bottoms looks like one that brings data."""
        named = "data" in self.param.type.lower()
        return named or any(self.param.HasField(block) for block in _DATA_BLOCKS)

    def refuse(self, reason: str) -> NoReturn:
        """End with the layer named."""
        name = self.param.name[:60] or "without a name"
        raise Refusal(f"layer '{name}' ({self.param.type[:60]}): {reason}", self.offset)


def select(
    layers: Iterable[LayerParameter],
    offsets: Iterable[int],
    state: State,
    options: Options,
    doubts: Mapping[int, Sequence[Doubt]],
) -> tuple[list[Entry], dict[str, dict[str, None]]]:
    """The layers that the state includes, wired; and how to have the blobs of the others.

    In strict mode raises ``Refusal`` where Caffe dies.
    """
    entries: list[Entry] = []
    absent: dict[str, dict[str, None]] = {}
    for param, offset in zip(layers, offsets, strict=True):
        entry = Entry(param, offset, doubts.get(offset, ()))
        given = any(name in options.blob_shapes for name in entry.tops)
        if entry.kind is None and not (options.strict or options.known_types or given):
            entry.respell()
        try:
            inside = included(param, state)
        except Refusal as refusal:
            if options.strict:
                entry.refuse(refusal.reason)
            entry.notes.append(f"Caffe refuses: {refusal.reason}")
            inside = True
        if inside:
            entries.append(entry)
        else:
            where = f"layer '{param.name[:60]}' makes it only {elsewhere(param, state)}"
            for name in param.top:
                absent.setdefault(name, {})[where] = None
    _wire(entries, options)
    return entries, absent


def _wire(entries: list[Entry], options: Options) -> None:
    """Find the source of every bottom and which tops are worked on in place.

    A top that is used more than once gets a Split layer in Caffe; its users then read blobs of
    other names, so that none of them works in place.
    """
    last: dict[str, int] = {}
    uses: list[int] = []
    firsts: list[int] = []
    for entry in entries:
        firsts.append(len(uses))
        for name in entry.bottoms:
            source = last.get(name, -1)
            if source >= 0:
                uses[source] += 1
            elif options.strict and name not in options.blob_shapes:
                entry.refuse(f"unknown bottom blob '{name}'")
            entry.sources.append(source)
        weights = entry.param.loss_weight
        for position, name in enumerate(entry.tops):
            last[name] = len(uses)
            # A top that is a loss counts as used.
            uses.append(int(position < len(weights) and weights[position] != 0))
    for entry, first in zip(entries, firsts, strict=True):
        tops = range(first, first + min(len(entry.tops), len(entry.weights)))
        if any(uses[top] > 1 and entry.weights[top - first] for top in tops):
            # The Split that Caffe puts in takes the weight, and the layer loses all its weights.
            entry.weights = []
        pairs = zip(entry.tops, entry.bottoms, entry.sources, strict=False)
        entry.in_place = [
            top == bottom and (source < 0 or uses[source] == 1) for top, bottom, source in pairs
        ]
