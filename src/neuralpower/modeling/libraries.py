"""Term libraries: which terms a model of a layer family may choose from.

``paper`` is the published candidate set (Cai et al., 2017). ``physical`` holds work and memory
traffic only; ``kernels`` has both again for layers that another kernel is likely to run. ``wide``
adds roots, tile- and Winograd-rounded work, hinges on the logarithms of the sizes and products of
all these; ``regimes`` and ``regime logs`` let the kernels differ. ``logs`` is for a logarithmic
target. Features that do not vary in the data, or that are multiples of an earlier one, are left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement

import numpy as np

from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.terms import INTERCEPT, Factor, Term, log_of, product, unique


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


#: Hinges and their products that a library may hold: bounds memory, p x p a fold.
MOST_HINGED = 1000

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
        *("macs", *_TILES, "winograd_2", "winograd_4", "rounded_channels"),
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
        *("weight_elements", "column_elements", "gemm_rows", "image_macs"),
    ),
    physical=(
        *("macs", "input_elements", "output_elements", "weight_elements", "batch_columns"),
        *("winograd_4", "tiled_64x64", "gemm_rows", "batch", "batch_maps", "batch_planes"),
        "batch_rows",
    ),
    tiles=(*_TILES, *_VECTORS, "winograd_2", "winograd_4", "rounded_channels"),
    vectors=_VECTORS,
    flags=("bias", "padded"),
    regimes=(
        *("depthwise", "grouped", "pointwise", "winograd_able", "dilated", "thin", "strided"),
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


def _scattering(vocabulary: Vocabulary) -> Vocabulary:
    """The words of a convolution without those of its matrix product's tiles."""
    dropped = {
        "reduction",
        "gemm_rows",
        "rounded_channels",
        *_TILES,
        *_VECTORS,
        "winograd_2",
        "winograd_4",
    }

    def kept(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name not in dropped)

    return replace(
        vocabulary,
        work=(*kept(vocabulary.work), "gemm_calls"),
        scales=kept(vocabulary.scales),
        physical=(*kept(vocabulary.physical), "gemm_calls"),
        tiles=(),
    )


def vocabulary(family: str) -> Vocabulary:
    """The features of a layer family; element-wise layers share one set."""
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


def _power(name: str, exponent: float = 1.0) -> Term:
    return (Factor(name, "power", exponent),)


def _log(name: str) -> Term:
    return (Factor(name, "log"),)


def _monomials(base: Sequence[Term], degrees: range) -> list[Term]:
    return [
        product(*chosen)
        for degree in degrees
        for chosen in combinations_with_replacement(base, degree)
    ]


def _knots(table: FeatureTable, name: str, count: int) -> list[float]:
    inner = np.linspace(0.0, 1.0, count + 2)[1:-1]
    logs = log_of(table, name)
    knots = np.unique(np.round(np.quantile(logs, inner), 2))
    return [float(k) for k in knots if logs.min() < k < logs.max()]


def _hinges(table: FeatureTable, names: Sequence[str], most: int, products: int) -> list[Term]:
    """Hinges at quantiles of the logs, fewer in small tables or where ``products`` are many."""
    count = most if table.rows >= 400 else most // 2 if table.rows >= 120 else 0
    count = min(count, max(3, MOST_HINGED // max(1, len(names) * products)) if count else 0)
    return [(Factor(name, "above", k),) for name in names for k in _knots(table, name, count)]


def _flags(table: FeatureTable, words: Vocabulary) -> list[Term]:
    return [_power(name) for name in varying(table, words.flags)]


#: The published features and special terms; multiples of earlier ones drop out by themselves.
_PAPER_RAW: dict[str, tuple[str, ...]] = {
    "conv": (
        *("batch", "out_height", "out_width", "kernel_width"),
        *("in_channels", "out_channels", "in_height"),
    ),
    "fc": ("batch", "out_channels", "in_height", "in_width", "in_channels"),
    "pool": ("batch", "out_height", "out_width", "out_channels", "kernel_width", "in_height"),
}
_PAPER_SPECIAL: dict[str, tuple[tuple[str, ...], ...]] = {
    "conv": (
        ("out_height", "out_width", "out_channels", "kernel_height", "kernel_width", "in_channels"),
        (
            *("batch", "out_height", "out_width", "out_channels"),
            *("kernel_height", "kernel_width", "in_channels"),
        ),
        ("batch", "out_height", "out_width", "kernel_height", "kernel_width", "in_channels"),
        ("batch", "out_height", "out_width", "out_channels"),
        ("kernel_height", "kernel_width", "in_channels", "out_channels"),
        ("batch", "in_height", "in_width", "in_channels"),
        ("batch", "in_width", "in_channels"),
        ("batch", "in_height", "in_channels"),
    ),
    "fc": (("batch", "in_channels", "in_height", "in_width", "out_channels"),),
    "pool": (
        ("batch", "out_height", "out_width", "out_channels", "kernel_height", "kernel_width"),
        ("batch", "out_height", "out_width", "out_channels"),
        ("batch", "in_height", "in_width", "out_channels"),
    ),
}


def paper(table: FeatureTable, family: str, target: str, *, all_terms: bool = False) -> list[Term]:
    """The published candidates: monomials of the raw features and the special terms.

    Runtime: degree 1-3 (fc 1-2); power: degree 1-2 over the features and their logarithms.
    ``all_terms`` keeps features that do not vary (for timing against the published recipe).
    Empty for families that the paper does not have.
    """
    if family not in _PAPER_RAW:
        return []
    raw = _PAPER_RAW[family]
    names = list(raw) if all_terms else varying(table, raw)
    base = [_power(name) for name in names]
    if target == "power_w":
        base += [_log(name) for name in names]
        degrees = range(1, 3)
    else:
        degrees = range(1, 3 if family == "fc" else 4)
    special = [product(*(_power(name) for name in names)) for names in _PAPER_SPECIAL[family]]
    return unique([INTERCEPT, *_monomials(base, degrees), *special])


def physical(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Constant, work and traffic: terms that can only add to the cost."""
    words = vocabulary(family)
    return unique([INTERCEPT, *map(_power, varying(table, words.physical)), *_flags(table, words)])


def kernels(table: FeatureTable, family: str, target: str) -> list[Term]:
    """``physical``, and all of it again for layers that another kernel is likely to run."""
    words = vocabulary(family)
    work = [_power(name) for name in varying(table, words.physical)]
    flags = [_power(name) for name in varying(table, (*words.flags, *words.regimes))]
    return unique([INTERCEPT, *work, *flags, *(product(f, x) for f in flags for x in work)])


def wide(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Monomials to degree 2, work and its roots times logs of the sizes and hinges on them."""
    words = vocabulary(family)
    return _wide(table, words, words.work)


def _wide(table: FeatureTable, words: Vocabulary, names: Sequence[str]) -> list[Term]:
    work = varying(table, names)
    sizes = varying(table, words.sizes)
    special = [_power(n) for n in work] + [_power(n, 0.5) for n in work]
    logs = [_log(n) for n in sizes]
    bends = varying(table, (*sizes, *words.scales[:2], *words.scales[-4:]))
    bent = [_power(n) for n in work if n in work[:4] or n in words.bent]
    hinges = _hinges(table, bends, 8, len(bent) + 1)
    flags = _flags(table, words)
    return unique(
        [
            INTERCEPT,
            *_monomials([_power(n) for n in varying(table, words.raw)], range(1, 3)),
            *special,
            *logs,
            *(product(s, x) for s in special for x in logs),
            *hinges,
            *(product(s, h) for s in bent for h in hinges),
            *flags,
            *(product(m, s) for m in flags for s in special),
        ]
    )


def regimes(table: FeatureTable, family: str, target: str) -> list[Term]:
    """``wide``, and the work of layers that another kernel is likely to run, each apart."""
    words = vocabulary(family)
    names = (*words.work, *words.vectors)
    flags = [_power(name) for name in varying(table, words.regimes)]
    work = varying(table, names)
    special = [_power(n) for n in work] + [_power(n, 0.5) for n in work]
    products = (product(f, s) for f in flags for s in special)
    return unique([*_wide(table, words, names), *flags, *products])


def regime_logs(table: FeatureTable, family: str, target: str) -> list[Term]:
    """``hinged logs``, and the logarithms apart for layers that another kernel is likely to run."""
    words = vocabulary(family)
    flags = [_power(name) for name in varying(table, words.regimes)]
    base = [_log(n) for n in varying(table, words.scales)]
    return unique(
        [*hinged_logs(table, family, target), *flags, *(product(f, x) for f in flags for x in base)]
    )


def _logs(table: FeatureTable, family: str, degree: int, hinged: bool) -> list[Term]:
    words = vocabulary(family)
    base = [_log(n) for n in varying(table, words.scales)]
    scales = varying(table, words.scales)
    hinges = _hinges(table, scales, 9, len(scales) + 1) if hinged else []
    flags = _flags(table, words)
    return unique(
        [
            INTERCEPT,
            *base,
            *(_log(n) for n in varying(table, words.tiles)),
            *_monomials(base, range(2, degree + 1)),
            *hinges,
            *(product(h, x) for h in hinges for x in base),
            *flags,
            *(product(m, x) for m in flags for x in base),
        ]
    )


def logs3(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Logarithms of sizes and work to degree 3 (2 for small tables)."""
    return _logs(table, family, 3 if table.rows >= 120 else 2, hinged=False)


def hinged_logs(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Logarithms to degree 2, hinges on them and the products of both."""
    return _logs(table, family, 2, hinged=True)


def bends(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Few terms for small tables: logs of the sizes, and up to seven hinges on work and traffic.

    Caches show as bends of time over traffic (in L2, beyond it): where a family is little else
    than traffic, a line with hinges is all there is to it.
    """
    words = vocabulary(family)
    names = varying(table, (words.main, "moved_elements", *words.sizes))
    knots = min(7, table.rows // 10)
    hinges = [(Factor(name, "above", k),) for name in names[:2] for k in _knots(table, name, knots)]
    return unique([INTERCEPT, *map(_log, names), *hinges, *_flags(table, words)])


def corrections(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Few, smooth terms for the ratio of two devices: logs of the sizes, one bend of the work."""
    words = vocabulary(family)
    names = varying(table, (words.main, "moved_elements", *words.sizes))
    main = [name for name in names if name == words.main]
    bends = [(Factor(name, "above", k),) for name in main for k in _knots(table, name, 2)]
    return unique([INTERCEPT, *map(_log, names), *bends, *_flags(table, words)])


Library = Callable[[FeatureTable, str, str], list[Term]]
LIBRARIES: dict[str, Library] = {
    "physical": physical,
    "kernels": kernels,
    "paper": paper,
    "wide": wide,
    "logs": logs3,
    "hinged logs": hinged_logs,
    "bends": bends,
    "regimes": regimes,
    "regime logs": regime_logs,
    "corrections": corrections,
}
