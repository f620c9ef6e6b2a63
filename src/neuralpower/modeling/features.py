"""Quantities of a layer that its cost may depend on, from the configuration columns.

Every feature is a plain function of the columns of one family and is known by a readable name;
``FEATURES`` lists them all. Arrays are float64, one value per layer. Sizes are elements, not bytes.
A layer's work and its elements are those of ``core.cost``, which counts them for everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neuralpower.core import cost

Array = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[np.generic]]

#: Columns that hold numbers, with the value of an absent or empty field.
DEFAULTS: dict[str, float] = {
    "batch": 1.0,
    "in_channels": 1.0,
    "in_height": 1.0,
    "in_width": 1.0,
    "out_channels": 1.0,
    "out_height": 1.0,
    "out_width": 1.0,
    "kernel_height": 1.0,
    "kernel_width": 1.0,
    "stride_height": 1.0,
    "stride_width": 1.0,
    "pad_height": 0.0,
    "pad_width": 0.0,
    "dilation_height": 1.0,
    "dilation_width": 1.0,
    "groups": 1.0,
    "bias": 0.0,
    "inputs": 1.0,
}

_Feature = Callable[["FeatureTable"], Array]


class FeatureTable:
    """Features of a table of layers of one family, each computed once and only when asked for.

    ``columns`` maps configuration columns to arrays of one length; numbers may be of any numeric
    type, absent columns take ``DEFAULTS``. ``table["macs"]`` is a float64 array. The inputs of an
    inner product count as one vector, whatever map they come from.
    Raises ``KeyError`` for a feature that does not exist.
    """

    def __init__(self, columns: Columns, family: str, rows: int | None = None) -> None:
        self._columns = columns
        self._cache: dict[str, Array] = {}
        self.family = family
        self.rows = len(next(iter(columns.values()))) if rows is None else rows

    def __getitem__(self, name: str) -> Array:
        if name not in self._cache:
            self._cache[name] = self._compute(name)
        return self._cache[name]

    def _compute(self, name: str) -> Array:
        if name in FEATURES:
            return FEATURES[name](self)
        if name in DEFAULTS:
            if self.family == "fc" and name in _MAP:
                flat = self._column("in_channels") * self._column("in_height")
                return flat * self._column("in_width") if name == _MAP[0] else np.ones(self.rows)
            return self._column(name)
        if name.startswith("is_"):
            methods = self._columns.get("pool_method")
            if methods is None:
                return np.zeros(self.rows)
            return np.asarray(methods == name.removeprefix("is_"), dtype=np.float64)
        raise KeyError(name)

    def _column(self, name: str) -> Array:
        if name not in self._columns:
            return np.full(self.rows, DEFAULTS[name])
        return np.asarray(self._columns[name], dtype=np.float64)


_MAP = ("in_channels", "in_height", "in_width")


class _Sizes:
    """A table's columns as attributes: what ``core.cost`` counts.

    Biases are left aside: a flag of the libraries has their cost, and with them the logarithms of
    weights would nearly, not quite, depend on those of the channels.
    """

    bias = 0

    def __init__(self, table: FeatureTable) -> None:
        self.family = table.family
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return self._table[name]


def _counted(count: Callable[[Any], Any]) -> _Feature:
    """A count of ``core.cost`` as a feature."""
    return lambda table: np.asarray(count(_Sizes(table)), dtype=np.float64)


def _flag(condition: Callable[[FeatureTable], npt.NDArray[np.bool_]]) -> _Feature:
    """1 where a condition holds, else 0."""
    return lambda table: np.asarray(condition(table), dtype=np.float64)


def _ceil(values: Array, step: int) -> Array:
    return np.ceil(values / step)


def _tiled(rows: int, columns: int) -> _Feature:
    """Multiply-accumulates with the output matrix rounded up to ``rows`` x ``columns`` tiles."""

    def work(t: FeatureTable) -> Array:
        tiles = _ceil(t["gemm_rows"], rows) * _ceil(t["gemm_columns"], columns)
        return tiles * (rows * columns) * t["reduction"] * t["groups"]

    return work


def _serial(processors: int) -> _Feature:
    """Steps that a processor goes through one after the other: the reduction, once a wave of tiles.

    An output tile is the work of one processor, and ``processors`` of them work at once: where
    there are fewer tiles, more of them cost nothing, and a longer reduction costs all of its steps.
    """

    def steps(t: FeatureTable) -> Array:
        tiles = _ceil(t["gemm_rows"], 128) * _ceil(t["gemm_columns"], 64) * t["groups"]
        return t["reduction"] * np.maximum(tiles / processors, 1.0)

    return steps


def _deep(step: int) -> _Feature:
    """Multiply-accumulates with the input channels of a group rounded up to whole vectors."""
    return lambda t: t["macs"] / t["group_in"] * _ceil(t["group_in"], step) * step


def _winograd(tile: int) -> _Feature:
    """Products of a Winograd transform F(tile x tile, k x k) over the output (Lavin, 2015)."""

    def work(t: FeatureTable) -> Array:
        size = (tile - 1 + t["kernel_height"]) * (tile - 1 + t["kernel_width"])
        tiles = t["batch"] * _ceil(t["out_height"], tile) * _ceil(t["out_width"], tile)
        return tiles * size * t["in_channels"] * t["out_channels"] / t["groups"]

    return work


#: A convolution by Fourier transforms works on tiles of so many pixels each way (cuDNN's
#: FFT_TILING); from such a kernel on it pays.
_FFT_TILE, _FFT_KERNEL = 32, 5


def _fft_able(t: FeatureTable) -> npt.NDArray[np.bool_]:
    """Where a convolution can be done, and is likely to be, by transforms of one tile a map."""
    height, width = (t[f"out_{side}"] + t[f"kernel_{side}"] - 1 for side in ("height", "width"))
    small = np.minimum(t["kernel_height"], t["kernel_width"])
    plain = (t["stride"] == 1) & (t["dilation"] == 1) & (t["groups"] == 1)
    return np.asarray(
        plain & (small >= _FFT_KERNEL) & (np.maximum(height, width) <= _FFT_TILE), dtype=np.bool_
    )


def _fft(t: FeatureTable) -> Array:
    """Multiply-accumulates of a convolution by Fourier transforms (Mathieu et al., 2014).

    Of a real tile half the frequencies are kept, with four products of reals for each of complex
    numbers; a transform of n numbers costs 2.5 n log2 n of them.
    """
    frequencies = _FFT_TILE * (_FFT_TILE / 2 + 1)
    transform = 2.5 * _FFT_TILE**2 * np.log2(_FFT_TILE**2)
    products = 4.0 * frequencies * t["in_channels"] * t["out_channels"]
    work = products + transform * (t["in_channels"] + t["out_channels"])
    return np.asarray(t["batch"] * work, dtype=np.float64)


def _least(t: FeatureTable) -> Array:
    """Multiply-accumulates of the cheapest known way: direct, Winograd's 4 x 4, or by FFT."""
    winograd = np.where(t["winograd_able"] > 0.0, t["winograd_4"], np.inf)
    fft = np.where(t["fft_able"] > 0.0, _fft(t), np.inf)
    return np.asarray(np.minimum(t["macs"], np.minimum(winograd, fft)))


FEATURES: dict[str, _Feature] = {
    "macs": _counted(cost.macs),
    # Window visits of a pooling, elements read of the element-wise layers.
    "operations": _counted(cost.operations),
    "input_elements": _counted(cost.input_elements),
    "output_elements": _counted(cost.output_elements),
    "weight_elements": _counted(cost.weight_elements),
    "moved_elements": lambda t: t["input_elements"] + t["output_elements"] + t["weight_elements"],
    # Elements moved and multiply-accumulates, over the elements moved: 1 where nothing multiplies.
    "intensity": lambda t: 1.0 + t["macs"] / t["moved_elements"],
    # Never of a layer itself: sets the rows of other kinds apart (``modeling.alike``).
    "other_kind": lambda t: np.zeros(t.rows),
    "transferred": lambda t: t["input_elements"] + t["output_elements"],
    "padded_elements": lambda t: (
        t["batch"] * t["in_channels"] * t["padded_height"] * t["padded_width"] * t["inputs"]
    ),
    # What Paleo counts as moved: padded input, filters and output.
    "paleo_elements": lambda t: t["padded_elements"] + t["weight_elements"] + t["output_elements"],
    "paleo_pool_elements": lambda t: t["padded_elements"] + t["output_elements"],
    "in_pixels": lambda t: t["in_height"] * t["in_width"],
    "out_pixels": lambda t: t["out_height"] * t["out_width"],
    "window": lambda t: t["kernel_height"] * t["kernel_width"],
    "stride": lambda t: t["stride_height"] * t["stride_width"],
    "dilation": lambda t: t["dilation_height"] * t["dilation_width"],
    "padded_height": lambda t: t["in_height"] + 2 * t["pad_height"],
    "padded_width": lambda t: t["in_width"] + 2 * t["pad_width"],
    "group_in": lambda t: t["in_channels"] / t["groups"],
    "group_out": lambda t: t["out_channels"] / t["groups"],
    # A convolution as a matrix product, one per group; a transposed one is that of its gradient.
    "gemm_rows": lambda t: t["batch"] * t["out_pixels"],
    "gemm_columns": lambda t: t["group_out"],
    "gemm_calls": lambda t: t["batch"] * t["groups"],
    "reduction": lambda t: t["window"] * t["group_in"],
    "image_macs": lambda t: t["macs"] / t["batch"],
    # The unrolled input of a convolution (im2col), the unrolled output of a transposed one.
    "column_elements": lambda t: (
        t["in_pixels"] * t["window"] * t["out_channels"]
        if t.family == "deconv"
        else t["out_pixels"] * t["window"] * t["in_channels"]
    ),
    "batch_columns": lambda t: t["batch"] * t["column_elements"],
    # What the loops over a window start: a map, a shifted map, a row of one.
    "batch_maps": lambda t: (
        t["batch"] * t["out_channels" if t.family == "deconv" else "in_channels"]
    ),
    "batch_planes": lambda t: t["batch_maps"] * t["window"],
    "batch_rows": lambda t: (
        t["batch_planes"] * t["in_height" if t.family == "deconv" else "out_height"]
    ),
    "image_operations": lambda t: t["operations"] / t["batch"],
    "image_input": lambda t: t["in_channels"] * t["in_pixels"],
    "image_output": lambda t: t["out_channels"] * t["out_pixels"],
    # Stretches of memory over which one value of a broadcast parameter serves.
    "spans": lambda t: t["batch"] * np.where(t["in_pixels"] > 1.0, t["in_channels"], 1.0),
    # Rows of the window that a pooling walks over.
    "window_rows": lambda t: t["batch"] * t["out_channels"] * t["out_pixels"] * t["kernel_height"],
    "tiled_256x128": _tiled(256, 128),
    "tiled_128x128": _tiled(128, 128),
    "tiled_128x64": _tiled(128, 64),
    "tiled_64x64": _tiled(64, 64),
    "tiled_32x32": _tiled(32, 32),
    "tiled_128x32": _tiled(128, 32),
    "tiled_1x8": _tiled(1, 8),
    "tiled_1x16": _tiled(1, 16),
    "serial_32": _serial(32),
    "serial_128": _serial(128),
    "deep_8": _deep(8),
    "deep_16": _deep(16),
    "winograd_2": _winograd(2),
    "winograd_4": _winograd(4),
    "least_macs": _least,
    "rounded_channels": lambda t: (
        t["gemm_rows"]
        * t["window"]
        * _ceil(t["group_in"], 32)
        * _ceil(t["group_out"], 32)
        * 1024
        * t["groups"]
    ),
    # Regimes: 1 where another kernel, or another part of one, is likely to run.
    "padded": _flag(lambda t: t["pad_height"] + t["pad_width"] > 0),
    "depthwise": _flag(lambda t: (t["groups"] > 1) & (t["group_in"] == 1)),
    "grouped": _flag(lambda t: t["groups"] > 1),
    "pointwise": _flag(lambda t: t["window"] == 1),
    "winograd_able": _flag(
        lambda t: (
            (t["kernel_height"] == 3)
            & (t["kernel_width"] == 3)
            & (t["stride"] == 1)
            & (t["dilation"] == 1)
            & (t["groups"] == 1)
        )
    ),
    "fft_able": _flag(_fft_able),
    "dilated": _flag(lambda t: t["dilation"] > 1),
    "thin": _flag(lambda t: np.minimum(t["group_in"], t["group_out"]) <= 4),
    "strided": _flag(lambda t: t["stride"] > 1),
    "wide_stride": _flag(lambda t: np.maximum(t["stride_height"], t["stride_width"]) >= 3),
    "one_pixel": _flag(lambda t: t["in_pixels"] == 1),
    "global_window": _flag(
        lambda t: (t["out_pixels"] == 1) & (t["window"] >= t["in_pixels"]) & (t["in_pixels"] > 1)
    ),
    "single_image": _flag(lambda t: t["batch"] == 1),
    "inputs_by_4": _flag(lambda t: t["group_in"] % 4 == 0),
    "inputs_by_8": _flag(lambda t: t["group_in"] % 8 == 0),
    "inputs_by_16": _flag(lambda t: t["group_in"] % 16 == 0),
    "outputs_by_4": _flag(lambda t: t["group_out"] % 4 == 0),
    "outputs_by_8": _flag(lambda t: t["group_out"] % 8 == 0),
    "outputs_by_16": _flag(lambda t: t["group_out"] % 16 == 0),
}
