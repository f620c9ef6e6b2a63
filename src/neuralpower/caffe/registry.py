"""The registry of layer types: how many blobs each takes, and its shape function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.shapes import INT_MAX, Shape


@dataclass(slots=True, eq=False)
class Setup:
    """One layer about to be set up: what its shape function reads, and what it fills in.

    ``bottoms`` are the shapes of the bottom blobs, ``n_tops`` the number of tops to be given.
    A shape function returns the shapes of the tops and sets ``params`` (shapes of the layer's own
    blobs, in Caffe's order) and ``macs`` (multiply-accumulates of one forward pass). It raises
    ``Refusal`` where Caffe's ``LayerSetUp`` or ``Reshape`` dies, and ``UnknownShape`` where the
    prototxt alone does not tell the shape.
    """

    param: LayerParameter
    bottoms: list[Shape]
    n_tops: int
    phase: str = "TEST"
    strict: bool = False
    given_shape: Shape | None = None
    limit: int = INT_MAX
    params: list[Shape] = field(default_factory=list)
    macs: int = 0
    notes: list[str] = field(default_factory=list)
    #: What the file does not say and a default fills in.
    assumed: list[str] = field(default_factory=list)
    #: What makes the figures unsure.
    doubts: list[str] = field(default_factory=list)
    #: Whether the layer has asked for ``given_shape``.
    asked: bool = False

    @property
    def data_shape(self) -> Shape | None:
        """One item (C, H, W) as the user gives it, for layers that bring data."""
        self.asked = True
        return self.given_shape

    def expect(self, condition: bool, reason: str) -> None:
        """A condition of Caffe's that the shape does not hang on: a note in lenient mode."""
        if condition:
            return
        if self.strict:
            raise Refusal(reason)
        self.notes.append(f"Caffe refuses: {reason}")

    def assume(self, text: str) -> None:
        """Note a default that fills in what the file does not say."""
        if text not in self.assumed:
            self.assumed.append(text)

    @property
    def bottom(self) -> Shape:
        """The shape of the first bottom."""
        return self.bottoms[0]

    @property
    def type(self) -> str:
        """The layer type."""
        kind: str = self.param.type
        return kind


class UnknownShape(Exception):  # noqa: N818
    """The shape depends on something outside the file; the text says on what.

    ``tops`` are the shapes of a source's tops where some are known.
    """

    def __init__(self, reason: str, tops: Sequence[Shape | None] = ()) -> None:
        super().__init__(reason)
        self.tops = tuple(tops)


ShapeFunction = Callable[[Setup], list[Shape]]
BlobRange = tuple[int, int | None]
#: One fixed range, or a function of the layer that gives it.
BlobRule = BlobRange | Callable[[LayerParameter], BlobRange]
#: Whether Caffe lets a layer work in place; a function of the layer and its number of tops.
InPlaceRule = bool | Callable[[LayerParameter, int], bool]


@dataclass(slots=True, eq=False)
class LayerType:
    """How Caffe treats a layer type.

    ``bottoms`` and ``tops`` are (least, most) numbers of blobs, None without an upper bound;
    ``equal_counts``: one top of each bottom; ``sums``: forks add a second bottom to the one top;
    ``auto_top``: a missing top is made up (losses); ``scalar_top``: the first top is a number,
    whatever the bottoms; ``inner_top``: a layer of one top inside is given the same loss weights;
    ``in_place``: Caffe allows it; ``fork``: BVLC Caffe does not know the
    type; ``source``: brings data in; ``given``: ``--blob-shape`` wins over what the layer says;
    ``engine``: the parameter whose ``engine`` may ask for cuDNN; ``free``: no computation;
    ``plain``: no parameter changes shapes or work.
    ``operation`` makes the typed operation and ``kinds`` are those of its parameters, both set by
    the decorator ``operation.operation``.
    """

    name: str
    shapes: ShapeFunction
    bottoms: BlobRule = (1, 1)
    tops: BlobRule = (1, 1)
    equal_counts: bool = False
    sums: bool = False
    auto_top: bool = False
    scalar_top: bool = False
    inner_top: bool = False
    in_place: InPlaceRule = True
    fork: bool = False
    source: bool = False
    given: bool = False
    engine: str = ""
    free: bool = False
    plain: bool = False
    operation: Any = None
    kinds: tuple[str, ...] = ()


LAYER_TYPES: dict[str, LayerType] = {}


def layer_type(*names: str, **options: Any) -> Callable[[ShapeFunction], ShapeFunction]:
    """Register a shape function for layer types; the options are ``LayerType``'s fields."""

    def register(function: ShapeFunction) -> ShapeFunction:
        for name in names:
            if name in LAYER_TYPES:
                raise ValueError(f"layer type {name} is registered twice")
            LAYER_TYPES[name] = LayerType(name, function, **options)
        return function

    return register


def check_counts(
    kind: LayerType, param: LayerParameter, n_bottoms: int, n_tops: int, strict: bool = False
) -> None:
    """``Refusal`` when a layer has too few or too many bottoms or tops."""
    for what, number, rule in (
        ("bottom", n_bottoms, kind.bottoms),
        ("top", n_tops, kind.tops),
    ):
        least, most = rule(param) if callable(rule) else rule
        if number >= least and (most is None or number <= most):
            continue
        needed = str(least) if least == most else f"at least {least}"
        if most is not None and number > most and least != most:
            needed = f"at most {most}"
        raise Refusal(f"{kind.name} takes {needed} {what} blob(s), not {number}")
    if kind.sums and not strict and (n_bottoms, n_tops) == (2, 1):
        return
    if kind.equal_counts and n_bottoms != n_tops:
        raise Refusal(f"{kind.name} makes one top of each bottom: {n_bottoms} and {n_tops} given")
