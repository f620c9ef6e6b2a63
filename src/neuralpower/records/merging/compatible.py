"""Whether runs belong together: what was measured, by which software, how, in which precision."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from neuralpower.core.errors import InputError
from neuralpower.records.codec import Facts
from neuralpower.records.manifest import Manifest
from neuralpower.records.merging.runs import Run

_SETTINGS = (
    "threads_intra",
    "threads_inter",
    "memory_format",
    "autotune",
    "graph_optimisation",
    "execution_mode",
    "calls",
)
#: Rules of the power phase that say which items have one, or what a board's own sensor is like.
_OF_THE_BOARD = frozenset({"share", "tau_s", "averaging_s", "period_s"})
_PRECISION = ("precision", "dtype", "tf32_convolution", "tf32_matmul")
_VERSIONS = ("torch", "cuda", "cudnn", "onnxruntime", "jax", "jaxlib", "provider")


def check_compatible(runs: Sequence[Run], allowed: frozenset[str]) -> dict[str, object]:
    """Refuse runs that differ in a way that is not ``allowed``; return the allowed differences.

    Which visits a run makes (shares, block size, seed) may differ: it changes no figure of a
    visit. What no run says cannot differ. Raises ``InputError`` naming the first difference.
    """
    differences: dict[str, object] = {}
    for kind, of in KINDS.items():
        by_run = {run.run: of(run.facts) for run in runs}
        texts = {json.dumps(value, sort_keys=True) for value in by_run.values() if value}
        if len(texts) < 2:
            continue
        if kind not in allowed:
            first, other = (run for run in _two_that_differ(by_run))
            what = _difference(by_run[first], by_run[other])
            raise InputError(
                f"runs {first} and {other} differ in {kind} ({what}): keep them as platforms of "
                f"their own, or pass --allow-different {kind}"
            )
        differences[kind] = by_run
    return differences


def _some(facts: Facts | None, names: Sequence[str]) -> dict[str, object]:
    return {name: facts[name] for name in names if facts and facts.get(name) is not None}


def _device(facts: Manifest) -> object:
    gpu = (facts.executor or {}).get("gpu")
    if gpu:
        return {"gpu": gpu.get("name") if isinstance(gpu, Mapping) else gpu}
    return _some(facts.machine, ("cpu", "cpu_family", "cpu_model")) or facts.device


def _protocol(facts: Manifest) -> object:
    known = dict(facts.protocol or {})
    # Which items are visited and how often, and which get power, is no matter of how.
    known.pop("design", None)
    power = known.pop("power", None)
    if isinstance(power, Mapping):
        known["power"] = {k: v for k, v in power.items() if k not in _OF_THE_BOARD}
    return known | _some(facts.executor, _SETTINGS)


def _precision(facts: Manifest) -> object:
    return _some(facts.executor, _PRECISION)


def _software(facts: Manifest) -> object:
    versions = _some(facts.executor, _VERSIONS)
    return versions | ({"software": facts.software} if facts.software else {})


def _anchor(facts: Manifest) -> object:
    return facts.anchor


KINDS: Mapping[str, Callable[[Manifest], object]] = {
    "device": _device,
    "software": _software,
    "precision": _precision,
    "protocol": _protocol,
    "anchor": _anchor,
}


def _two_that_differ(by_run: Mapping[str, object]) -> tuple[str, str]:
    stated = [(run, value) for run, value in sorted(by_run.items()) if value]
    first = stated[0]
    return first[0], next(run for run, value in stated if value != first[1])


def _difference(one: object, other: object, place: str = "") -> str:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        name = next(n for n in sorted({*one, *other}) if one.get(n) != other.get(n))
        return _difference(one.get(name), other.get(name), f"{place}.{name}" if place else name)
    return f"{place + ': ' if place else ''}{_short(one)} and {_short(other)}"


def _short(value: object) -> str:
    return "nothing recorded" if value is None else " ".join(str(value).split())[:80]
