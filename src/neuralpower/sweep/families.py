"""From a point of the unit cube to a configuration: one function a kind of family.

``COORDINATES`` fixes which coordinate of a point decides what; the first are the ones a Sobol
sequence covers best, so the sizes come first. Shapes that cannot exist come back as ``None``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import floor

from neuralpower.core.configuration import Configuration
from neuralpower.core.geometry import complete
from neuralpower.sweep.grids import log_grid, pick
from neuralpower.sweep.sweep_config import DEPTHWISE, FamilySweep

_MAP = ("in_channels", "size", "batch")
_CONV = (
    *("in_channels", "out_channels", "size", "batch", "kernel", "stride", "padding", "groups"),
    *("dilation", "bias", "oblong_share", "width", "rectangular_share", "kernel_width", "pad"),
)
_POOL = (
    *(*_MAP, "kernel", "stride", "padding", "method", "global_share"),
    *("oblong_share", "width", "rectangular_share", "kernel_width", "pad"),
)
_ELEMENTWISE = (*_MAP, "flat_share", "oblong_share", "width", "bias", "inputs")

#: Coordinates around a real layer: which one, and how far from it.
NEAR_COORDINATES = ("layer", "batch", "in_channels", "out_channels", "size", "exact")

#: Share of the rows around real layers that keep all but the batch.
EXACT_SHARE = 0.25

#: Factors, in 64ths, by which the sizes of a real layer are changed: 1/sqrt(2) to sqrt(2).
_JITTER = log_grid(45, 90)

#: Fewer channels than this are those of an image and stay.
_IMAGE_CHANNELS = 4


@dataclass(frozen=True)
class Draw:
    """The values that one point gives in one family's design."""

    design: FamilySweep
    point: Mapping[str, float]

    def number(self, parameter: str, coordinate: str = "") -> int:
        """The parameter's value at its own coordinate or another."""
        return pick(self.design.numbers[parameter], self.point[coordinate or parameter])

    def word(self, parameter: str) -> str:
        """As ``number``, for parameters whose values are words."""
        return pick(self.design.words[parameter], self.point[parameter])

    def chance(self, share: str) -> bool:
        """Whether the event with this share happens."""
        return self.point[share] < self.design.shares[share]

    def map_size(self) -> tuple[int, int]:
        """Height and width: equal, but for the oblong share."""
        height = self.number("size")
        return height, self.number("size", "width") if self.chance("oblong_share") else height

    def window_size(self) -> tuple[int, int]:
        """The kernel's height and width: equal, but for the rectangular share."""
        height = self.number("kernel")
        wide = self.chance("rectangular_share")
        return height, self.number("kernel", "kernel_width") if wide else height

    def padding(self, same: int, most: int) -> int:
        """No padding, the padding that keeps the size, or any up to ``most``."""
        word = self.word("padding")
        if word == "any":
            return floor(self.point["pad"] * (most + 1))
        return same if word == "same" else 0


def _conv(draw: Draw) -> Configuration | None:
    family = draw.design.family
    height, width = draw.map_size()
    kernel_height, kernel_width = draw.window_size()
    stride = draw.number("stride")
    dilation = draw.number("dilation") if max(kernel_height, kernel_width) > 1 else 1
    in_channels, out_channels, groups = _channels(draw)
    reaches = [dilation * (kernel - 1) for kernel in (kernel_height, kernel_width)]
    # A deconvolution undoes a convolution: "same" is what makes it multiply the size by its stride.
    spare = stride - 1 if family == "deconv" else 0
    pads = [draw.padding(max(reach - spare, 0) // 2, reach) for reach in reaches]
    return complete(
        Configuration(
            family=family,
            batch=draw.number("batch"),
            in_channels=in_channels,
            in_height=height,
            in_width=width,
            out_channels=out_channels,
            out_height=0,
            out_width=0,
            kernel_height=kernel_height,
            kernel_width=kernel_width,
            stride_height=stride,
            stride_width=stride,
            pad_height=pads[0],
            pad_width=pads[1],
            dilation_height=dilation,
            dilation_width=dilation,
            groups=groups,
            bias=draw.number("bias"),
        )
    )


def _channels(draw: Draw) -> tuple[int, int, int]:
    """Input and output channels and groups; the channels are rounded to multiples of the groups."""
    in_channels, out_channels = draw.number("in_channels"), draw.number("out_channels")
    groups = draw.number("groups")
    if groups == DEPTHWISE:
        return in_channels, in_channels, in_channels
    return _multiple(in_channels, groups), _multiple(out_channels, groups), groups


def _multiple(value: int, of: int) -> int:
    return max(of, value // of * of)


def _pool(draw: Draw) -> Configuration | None:
    height, width = draw.map_size()
    everywhere = draw.chance("global_share")
    kernel_height, kernel_width = (height, width) if everywhere else draw.window_size()
    stride = 1 if everywhere else draw.number("stride")
    kernels = (kernel_height, kernel_width)
    pads = [0 if everywhere else draw.padding(kernel // 2, kernel - 1) for kernel in kernels]
    if kernel_height > height + 2 * pads[0] or kernel_width > width + 2 * pads[1]:
        return None  # Caffe would clip such a window; other tools refuse it
    channels = draw.number("in_channels")
    return complete(
        Configuration(
            family="pool",
            batch=draw.number("batch"),
            in_channels=channels,
            in_height=height,
            in_width=width,
            out_channels=channels,
            out_height=0,
            out_width=0,
            kernel_height=kernel_height,
            kernel_width=kernel_width,
            stride_height=stride,
            stride_width=stride,
            pad_height=pads[0],
            pad_width=pads[1],
            pool_method=draw.word("method"),
        )
    )


def _fc(draw: Draw) -> Configuration | None:
    return Configuration(
        family="fc",
        batch=draw.number("batch"),
        in_channels=draw.number("in_channels"),
        in_height=1,
        in_width=1,
        out_channels=draw.number("out_channels"),
        out_height=1,
        out_width=1,
        bias=draw.number("bias"),
    )


def _elementwise(draw: Draw) -> Configuration | None:
    family = draw.design.family
    height, width = (1, 1) if draw.chance("flat_share") else draw.map_size()
    channels = draw.number("in_channels")
    inputs = draw.number("inputs") if "inputs" in draw.design.numbers else 1
    return Configuration(
        family=family,
        batch=draw.number("batch"),
        in_channels=channels,
        in_height=height,
        in_width=width,
        out_channels=channels * (inputs if family == "concat" else 1),
        out_height=height,
        out_width=width,
        bias=draw.number("bias") if "bias" in draw.design.numbers else 0,
        inputs=inputs,
    )


_KINDS: dict[str, tuple[tuple[str, ...], Callable[[Draw], Configuration | None]]] = {
    "conv": (_CONV, _conv),
    "deconv": (_CONV, _conv),
    "pool": (_POOL, _pool),
    "fc": (("in_channels", "out_channels", "batch", "bias"), _fc),
}


def coordinates(family: str) -> tuple[str, ...]:
    """The names of the coordinates of a random point of this family, in order."""
    return _KINDS.get(family, (_ELEMENTWISE, _elementwise))[0]


def random_configuration(design: FamilySweep, point: Mapping[str, float]) -> Configuration | None:
    """The configuration of a point with the family's ``coordinates``; ``None`` if impossible."""
    return _KINDS.get(design.family, (_ELEMENTWISE, _elementwise))[1](Draw(design, point))


def near_configuration(
    design: FamilySweep, layer: Configuration, point: Mapping[str, float]
) -> Configuration | None:
    """A configuration around a real layer, by a point with ``NEAR_COORDINATES``.

    The batch is drawn from the design; channels and map are changed by up to a factor of the
    square root of two, window, groups and bias stay. ``None`` where the shape cannot exist.
    """
    exact = point["exact"] < EXACT_SHARE
    factors = {
        name: 64 if exact else pick(_JITTER, point[name])
        for name in ("in_channels", "out_channels", "size")
    }
    in_channels, out_channels, groups = _near_channels(layer, factors)
    height = _scaled(layer.in_height, factors["size"])
    width = _scaled(layer.in_width, factors["size"])
    everywhere = layer.family == "pool" and (layer.kernel_height, layer.kernel_width) == (
        layer.in_height,
        layer.in_width,
    )
    return complete(
        replace(
            layer,
            batch=pick(design.numbers["batch"], point["batch"]),
            in_channels=in_channels,
            out_channels=out_channels,
            groups=groups,
            in_height=height,
            in_width=width,
            kernel_height=height if everywhere else layer.kernel_height,
            kernel_width=width if everywhere else layer.kernel_width,
        )
    )


def _near_channels(layer: Configuration, factors: Mapping[str, int]) -> tuple[int, int, int]:
    in_channels = layer.in_channels
    if in_channels >= _IMAGE_CHANNELS:
        in_channels = _scaled(in_channels, factors["in_channels"])
    if layer.family == "concat":
        return in_channels, in_channels * layer.inputs, 1
    if layer.family not in ("conv", "deconv", "fc"):
        return in_channels, in_channels, layer.groups
    if 1 < layer.groups == layer.in_channels == layer.out_channels:
        return in_channels, in_channels, in_channels
    out_channels = _scaled(layer.out_channels, factors["out_channels"])
    groups = layer.groups
    return _multiple(in_channels, groups), _multiple(out_channels, groups), groups


def _scaled(value: int, factor: int) -> int:
    """``value * factor / 64``, rounded half up; a map of one place stays one."""
    return value if value == 1 else max(1, (2 * value * factor + 64) // 128)
