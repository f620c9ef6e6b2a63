"""Quantities of a layer that its cost may depend on, from the configuration columns.

Every feature is a plain function of the columns and is known by a readable name; ``FEATURES``
lists them all. Arrays are float64, one value a layer. Sizes are elements, not bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[np.generic]]

#: Columns that hold numbers, with the value that stands for an absent or empty field.
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
    """Features of a table of layers, each computed once and only when asked for.

    ``columns`` maps configuration columns to arrays of one length; numbers may be of any numeric
    type, absent columns take ``DEFAULTS``. ``table["macs"]`` is a float64 array.
    Raises ``KeyError`` for a feature that does not exist.
    """

    def __init__(self, columns: Columns, rows: int | None = None) -> None:
        self._columns = columns
        self._cache: dict[str, Array] = {}
        self.rows = len(next(iter(columns.values()))) if rows is None else rows

    def __getitem__(self, name: str) -> Array:
        if name not in self._cache:
            self._cache[name] = self._compute(name)
        return self._cache[name]

    def _compute(self, name: str) -> Array:
        if name in FEATURES:
            return FEATURES[name](self)
        if name in DEFAULTS:
            if name not in self._columns:
                return np.full(self.rows, DEFAULTS[name])
            return np.asarray(self._columns[name], dtype=np.float64)
        if name.startswith("is_"):
            methods = self._columns.get("pool_method")
            if methods is None:
                return np.zeros(self.rows)
            return np.asarray(methods == name.removeprefix("is_"), dtype=np.float64)
        raise KeyError(name)


def _ceil(values: Array, step: int) -> Array:
    return np.ceil(values / step)


def _tiled(rows: int, columns: int) -> _Feature:
    """Multiply-accumulates with the output matrix rounded up to ``rows`` x ``columns`` tiles."""

    def work(t: FeatureTable) -> Array:
        tiles = _ceil(t["gemm_rows"], rows) * _ceil(t["gemm_columns"], columns)
        return tiles * (rows * columns) * t["reduction"] * t["groups"]

    return work


def _winograd(tile: int) -> _Feature:
    """Products of a Winograd transform F(tile x tile, k x k) over the output (Lavin, 2015)."""

    def work(t: FeatureTable) -> Array:
        size = (tile - 1 + t["kernel_height"]) * (tile - 1 + t["kernel_width"])
        tiles = t["batch"] * _ceil(t["out_height"], tile) * _ceil(t["out_width"], tile)
        return tiles * size * t["in_channels"] * t["out_channels"] / t["groups"]

    return work


FEATURES: dict[str, _Feature] = {
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
    "has_padding": lambda t: np.asarray(t["pad_height"] + t["pad_width"] > 0, dtype=np.float64),
    "group_in": lambda t: t["in_channels"] / t["groups"],
    "group_out": lambda t: t["out_channels"] / t["groups"],
    # The convolution or the inner product as a matrix product, one a group.
    "gemm_rows": lambda t: t["batch"] * t["out_pixels"],
    "gemm_columns": lambda t: t["group_out"],
    "reduction": lambda t: t["window"] * t["group_in"],
    "image_macs": lambda t: t["out_pixels"] * t["out_channels"] * t["reduction"],
    "macs": lambda t: t["batch"] * t["image_macs"],
    "unpooled": lambda t: t["batch"] * t["out_channels"] * t["out_pixels"] * t["window"],
    "input_elements": lambda t: t["batch"] * t["in_channels"] * t["in_pixels"] * t["inputs"],
    "output_elements": lambda t: t["batch"] * t["out_channels"] * t["out_pixels"],
    "weight_elements": lambda t: t["window"] * t["group_in"] * t["out_channels"],
    "column_elements": lambda t: t["out_pixels"] * t["window"] * t["in_channels"],
    "batch_columns": lambda t: t["batch"] * t["column_elements"],
    "image_input": lambda t: t["in_channels"] * t["in_pixels"],
    "image_output": lambda t: t["out_channels"] * t["out_pixels"],
    "moved_elements": lambda t: t["input_elements"] + t["output_elements"] + t["weight_elements"],
    "transferred": lambda t: t["input_elements"] + t["output_elements"],
    "tiled_256x128": _tiled(256, 128),
    "tiled_128x128": _tiled(128, 128),
    "tiled_128x64": _tiled(128, 64),
    "tiled_64x64": _tiled(64, 64),
    "tiled_32x32": _tiled(32, 32),
    "tiled_128x32": _tiled(128, 32),
    "winograd_2": _winograd(2),
    "winograd_4": _winograd(4),
    "image_unpooled": lambda t: t["out_channels"] * t["out_pixels"] * t["window"],
    # A transposed convolution scatters: one product for every input pixel and weight.
    "scatter_macs": lambda t: (
        t["batch"] * t["in_pixels"] * t["in_channels"] * t["group_out"] * t["window"]
    ),
    "rounded_channels": lambda t: (
        t["gemm_rows"]
        * t["window"]
        * _ceil(t["group_in"], 32)
        * _ceil(t["group_out"], 32)
        * 1024
        * t["groups"]
    ),
}
