"""The features of each kind of layer, by the part they play in the term libraries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from neuralpower.modeling.features import FeatureTable


@dataclass(frozen=True)
class Vocabulary:
    """The features of a kind of layer, by the part they play in a library.

    ``raw``: sizes; ``work``: physical quantities in the order of trust; ``sizes``: features whose
    logarithms multiply the work; ``scales``: features whose logarithms make up a log model;
    ``bent``: work that hinges multiply, beside the first four; ``main``: the work of a layer.
    ``flags``: what a kernel does or leaves, 0 or 1, each with a cost in proportion to the work;
    ``regimes``: where another kernel is likely to run.
    """

    raw: tuple[str, ...]
    work: tuple[str, ...]
    sizes: tuple[str, ...]
    scales: tuple[str, ...]
    physical: tuple[str, ...]
    tiles: tuple[str, ...] = ()
    main: str = "macs"
    vectors: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    regimes: tuple[str, ...] = ()
    bent: tuple[str, ...] = (
        *("input_elements", "output_elements", "weight_elements", "moved_elements"),
        *("winograd_4", "tiled_64x64"),
    )


_TILES = (
    "tiled_256x128",
    "tiled_128x128",
    "tiled_128x64",
    "tiled_64x64",
    "tiled_32x32",
    "tiled_128x32",
)
_VECTORS = ("tiled_1x8", "tiled_1x16", "deep_8", "deep_16")
_CONV = Vocabulary(
    raw=(
        *("batch", "group_in", "in_channels", "group_out", "out_channels"),
        *("out_height", "out_width", "in_height", "in_width", "kernel_height", "kernel_width"),
        *("stride_height", "stride_width", "dilation", "groups"),
    ),
    work=(
        *("macs", *_TILES, "winograd_2", "winograd_4", "rounded_channels", "least_macs"),
        *(
            "batch_maps",
            "batch_planes",
            "batch_rows",
            "input_elements",
            "output_elements",
            "weight_elements",
            "batch_columns",
        ),
        *("column_elements", "image_macs", "moved_elements", "gemm_rows", "reduction"),
        *("image_input", "image_output"),
    ),
    sizes=(
        *("batch", "in_channels", "out_channels", "out_height", "in_height", "window"),
        *("stride", "groups", "dilation"),
    ),
    scales=(
        *("macs", "moved_elements", "batch", "in_channels", "out_channels", "out_height"),
        *("in_height", "out_width", "window", "kernel_height", "stride", "groups", "dilation"),
        "least_macs",
        *("weight_elements", "column_elements", "gemm_rows", "image_macs"),
    ),
    physical=(
        *("macs", "input_elements", "output_elements", "weight_elements", "batch_columns"),
        *("winograd_4", "tiled_64x64", "gemm_rows", "batch", "batch_maps", "batch_planes"),
        *("batch_rows", "least_macs"),
    ),
    tiles=(*_TILES, *_VECTORS, "winograd_2", "winograd_4", "rounded_channels"),
    vectors=_VECTORS,
    flags=("bias", "padded"),
    regimes=(
        *("depthwise", "grouped", "pointwise", "winograd_able", "fft_able", "dilated", "thin"),
        "strided",
        *("single_image", "inputs_by_4", "inputs_by_8", "inputs_by_16"),
        *("outputs_by_4", "outputs_by_8", "outputs_by_16"),
    ),
)
_FC = Vocabulary(
    raw=("batch", "in_channels", "out_channels"),
    work=(
        *("macs", *_TILES, "input_elements", "output_elements", "weight_elements"),
        "moved_elements",
    ),
    sizes=("batch", "in_channels", "out_channels"),
    scales=("macs", "moved_elements", "batch", "in_channels", "out_channels"),
    physical=("macs", "input_elements", "output_elements", "weight_elements", "tiled_64x64"),
    tiles=_TILES,
    flags=("bias",),
    regimes=("single_image", "inputs_by_16", "outputs_by_16", "thin"),
)
_POOL = Vocabulary(
    raw=(
        *("batch", "out_channels", "out_height", "out_width", "in_height", "in_width"),
        *("kernel_height", "kernel_width", "stride_height", "stride_width"),
    ),
    work=(
        *("operations", "input_elements", "output_elements", "moved_elements"),
        *("image_input", "image_output", "image_operations", "window_rows"),
        *("batch_maps", "batch_rows"),
    ),
    sizes=("batch", "out_channels", "out_height", "in_height", "window", "stride"),
    scales=(
        *("operations", "moved_elements", "batch", "out_channels", "out_height", "in_height"),
        *("window", "kernel_height", "stride", "image_input", "image_operations"),
    ),
    physical=(
        *("operations", "input_elements", "output_elements", "image_operations", "window_rows"),
        *("batch_maps", "batch_rows"),
    ),
    main="operations",
    flags=("is_ave", "is_stochastic"),
    regimes=("wide_stride", "global_window", "padded", "strided"),
)
_OTHER = Vocabulary(
    raw=("batch", "in_channels", "out_channels", "in_height", "in_width", "inputs"),
    work=("input_elements", "output_elements", "transferred", "image_input", "in_pixels", "spans"),
    sizes=("batch", "in_channels", "in_height", "inputs"),
    scales=(
        *("input_elements", "output_elements", "batch", "in_channels", "in_pixels", "inputs"),
        "spans",
    ),
    physical=("input_elements", "output_elements", "in_channels", "batch", "spans"),
    main="transferred",
    flags=("bias",),
    regimes=("one_pixel",),
)


#: Words of the work of convolutions by FFT, and of what processors do one step after the other.
_FFT = frozenset({"least_macs", "fft_able"})
_SERIAL = ("serial_32", "serial_128")


def _without(vocabulary: Vocabulary, dropped: frozenset[str]) -> Vocabulary:
    def kept(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in dropped)

    return replace(
        vocabulary,
        work=kept(vocabulary.work),
        scales=kept(vocabulary.scales),
        physical=kept(vocabulary.physical),
        tiles=kept(vocabulary.tiles),
        regimes=kept(vocabulary.regimes),
    )


def _serial(vocabulary: Vocabulary) -> Vocabulary:
    """The words of a convolution with its serial steps among those that logarithms are taken of."""
    words = vocabulary.scales
    return replace(vocabulary, scales=(*words[:-4], *_SERIAL, *words[-4:]))


def _scattering(vocabulary: Vocabulary) -> Vocabulary:
    """The words of a convolution without those of its matrix product's tiles."""
    tiles = {"reduction", "gemm_rows", "rounded_channels", *_TILES, *_VECTORS}
    words = _without(vocabulary, frozenset({*tiles, "winograd_2", "winograd_4", "least_macs"}))
    return replace(
        words,
        work=(*words.work, "gemm_calls"),
        physical=(*words.physical, "gemm_calls"),
    )


#: A table of more convolutions has room for the many terms that otherwise say as much as these.
FEW = 200


def vocabulary(family: str, target: str = "runtime_ms", rows: int | None = None) -> Vocabulary:
    """The features of a layer family; element-wise layers share one set.

    Power of convolutions, and the time of few (``rows``) of them, depend on the steps that a
    processor goes through one after the other; energy does not: it is spent on all of the work.
    Power has no words of FFT: with them it errs by half a point more (A30 with TF32). Both were
    chosen looking at mean scores of three deals of the folds, of A30 and H200.
    """
    if family == "conv" and target == "power_w":
        return _serial(_without(_CONV, _FFT))
    if family == "conv" and target == "runtime_ms" and rows is not None and rows < FEW:
        return replace(_serial(_CONV), work=(*_CONV.work, *_SERIAL))
    known = {"conv": _CONV, "deconv": _scattering(_CONV), "fc": _FC, "pool": _POOL}
    return known.get(family, _OTHER)


def varying(table: FeatureTable, names: Sequence[str]) -> list[str]:
    """The features that take several values and are no multiple of an earlier one."""
    kept: list[str] = []
    for name in names:
        values = table[name]
        if values.min() == values.max():
            continue
        if any(_multiple(values, table[other]) for other in kept):
            continue
        kept.append(name)
    return kept


def _multiple(a: np.ndarray, b: np.ndarray) -> bool:
    head = slice(0, 64)
    if not np.allclose(a[head] * b[0], b[head] * a[0], rtol=1e-9, atol=0.0):
        return False
    return bool(np.allclose(a * b[0], b * a[0], rtol=1e-9, atol=0.0))
