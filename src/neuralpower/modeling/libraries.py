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
from itertools import combinations_with_replacement

import numpy as np

from neuralpower.modeling.features import FeatureTable
from neuralpower.modeling.terms import INTERCEPT, Factor, Term, log_of, product, unique
from neuralpower.modeling.vocabularies import Vocabulary, varying, vocabulary

#: Hinges and their products that a library may hold: bounds memory, p x p a fold.
MOST_HINGED = 1000


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
    words = vocabulary(family, target, table.rows)
    return unique([INTERCEPT, *map(_power, varying(table, words.physical)), *_flags(table, words)])


def kernels(table: FeatureTable, family: str, target: str) -> list[Term]:
    """``physical``, and all of it again for layers that another kernel is likely to run."""
    words = vocabulary(family, target, table.rows)
    work = [_power(name) for name in varying(table, words.physical)]
    flags = [_power(name) for name in varying(table, (*words.flags, *words.regimes))]
    return unique([INTERCEPT, *work, *flags, *(product(f, x) for f in flags for x in work)])


def wide(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Monomials to degree 2, work and its roots times logs of the sizes and hinges on them."""
    words = vocabulary(family, target, table.rows)
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
    words = vocabulary(family, target, table.rows)
    names = (*words.work, *words.vectors)
    flags = [_power(name) for name in varying(table, words.regimes)]
    work = varying(table, names)
    special = [_power(n) for n in work] + [_power(n, 0.5) for n in work]
    products = (product(f, s) for f in flags for s in special)
    return unique([*_wide(table, words, names), *flags, *products])


def regime_logs(table: FeatureTable, family: str, target: str) -> list[Term]:
    """``hinged logs``, and the logarithms apart for layers that another kernel is likely to run."""
    words = vocabulary(family, target, table.rows)
    flags = [_power(name) for name in varying(table, words.regimes)]
    base = [_log(n) for n in varying(table, words.scales)]
    return unique(
        [*hinged_logs(table, family, target), *flags, *(product(f, x) for f in flags for x in base)]
    )


def _logs(table: FeatureTable, family: str, target: str, degree: int, hinged: bool) -> list[Term]:
    words = vocabulary(family, target, table.rows)
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
    return _logs(table, family, target, 3 if table.rows >= 120 else 2, hinged=False)


def hinged_logs(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Logarithms to degree 2, hinges on them and the products of both."""
    return _logs(table, family, target, 2, hinged=True)


def bends(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Few terms for small tables: logs of the sizes, and up to seven hinges on work and traffic.

    Caches show as bends of time over traffic (in L2, beyond it): where a family is little else
    than traffic, a line with hinges is all there is to it.
    """
    words = vocabulary(family, target, table.rows)
    names = varying(table, (words.main, "moved_elements", *words.sizes))
    knots = min(7, table.rows // 10)
    hinges = [(Factor(name, "above", k),) for name in names[:2] for k in _knots(table, name, knots)]
    return unique([INTERCEPT, *map(_log, names), *hinges, *_flags(table, words)])


def sizes(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Logarithms of work, traffic and sizes, and flags: the coordinates of a layer."""
    words = vocabulary(family, target, table.rows)
    serial = [name for name in (*words.work, *words.scales) if name.startswith("serial")]
    names = varying(table, tuple(dict.fromkeys((*words.sizes, *words.scales[:2], *serial))))
    return unique([INTERCEPT, *map(_log, names), *_flags(table, words)])


def corrections(table: FeatureTable, family: str, target: str) -> list[Term]:
    """Few, smooth terms for the ratio of two devices: logs of the sizes, one bend of the work."""
    words = vocabulary(family, target, table.rows)
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
    "sizes": sizes,
}
