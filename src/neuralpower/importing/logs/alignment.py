"""Which layers of a network the rows of a log are: by name, by joined names, by order and shape.

1. A row that has a layer's name is that layer.
2. Names that the tool joined (`` + `` one after the other, `` || `` side by side) are those layers;
   so are the operators that the tool itself lists.
3. A row named after a blob, or after the last of several layers that run as one (an activation,
   where the row's operation is a convolution), is the chain of layers that ends there.
4. What is left is compared in order: operation and shapes must agree. Where a log has neither,
   rows and computing layers are paired only if they are equally many.

Whatever no rule fits stays unmatched and is reported with its share of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from neuralpower.core.families import FAMILY
from neuralpower.importing.logs.timings import TimedRow

if TYPE_CHECKING:
    from neuralpower.caffe.network import Layer

#: Layers that others may be run inside of.
HOSTS = frozenset({"conv", "deconv", "fc"})
_FOLLOWERS = frozenset({"batchnorm", "scale", "relu", "sigmoid", "tanh", "elu", "prelu", "eltwise"})
#: What tools put around the names that they join or change.
_WRAPPED = re.compile(r"(?:PWN|fused|Fused) ?\((.*)\)")
#: An ending that ONNX Runtime adds to the name of a value, which may be a layer's name too.
_OF_VALUES = "_nchwc"
_ADDED = re.compile(r"(_nchwc|_kernel_time|_output_\d+|:\d+)$")
#: More rows or layers than this are not compared in order: it takes their product.
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Match:
    """A row and its layers by their index in the network, the one that does the work first.

    ``how``: exact, fused, blob, order; empty where the row is not matched. ``parallel``: the layers
    run side by side in one kernel, so that none of them has its own time. ``missing``: joined
    names that the network does not have.
    """

    row: TimedRow
    layers: tuple[int, ...] = ()
    how: str = ""
    parallel: bool = False
    missing: tuple[str, ...] = ()


def align(rows: Sequence[TimedRow], layers: Sequence[Layer]) -> list[Match]:
    """A match for every row, in their order; each layer belongs to one row at most."""
    finder = _Finder(layers)
    found = [finder.by_name(row) for row in rows]
    _by_order(found, finder)
    return [finder.with_followers(match) for match in found]


class _Finder:
    """The layers of a network, and which are taken."""

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = layers
        self.free = set(range(len(layers)))
        self.names: dict[str, int] = {}
        self.makers: dict[str, int] = {}
        self.last: dict[str, int] = {}
        self.sources: list[list[int]] = []
        for index, layer in enumerate(layers):
            self.names.setdefault(layer.name, index)
            self.sources.append([self.last[b] for b in layer.bottoms if b in self.last])
            for top in layer.tops:
                self.makers.setdefault(top, index)
                self.last[top] = index
        readers: dict[int, list[int]] = {}
        for index, sources in enumerate(self.sources):
            for source in sources:
                readers.setdefault(source, []).append(index)
        self.readers = readers

    def by_name(self, row: TimedRow) -> Match:
        if row.moves:
            return Match(row)
        if row.name.endswith(_OF_VALUES) and (match := self.by_blob(row)).layers:
            return match
        whole = self.find(row.name)
        if whole is not None:
            chain = self.chain(whole, row.family)
            return self.take(row, chain, "exact" if len(chain) == 1 else "blob")
        groups = [part.split(" + ") for part in row.name.split(" || ")]
        names = list(row.parts) or [name for group in groups for name in group]
        if row.parts or len(names) > 1:
            indices, missing = [], []
            for name in names:
                index = self.find(name)
                if index is not None and index in self.free and index not in indices:
                    indices.append(index)
                elif index is None:
                    missing.append(name)
            if indices:
                hosts = sum(self.layers[i].family in HOSTS for i in indices)
                parallel = len(groups) > 1 or hosts > 1
                return self.take(row, indices, "fused", parallel, missing)
        return self.by_blob(row)

    def find(self, name: str) -> int | None:
        """A free layer of this name, as it is or without what tools put around it."""
        for text in _forms(name):
            index = self.names.get(text)
            if index is not None and index in self.free:
                return index
        return None

    def by_blob(self, row: TimedRow) -> Match:
        for text in _forms(row.name):
            index = self.last.get(text)
            if index is None or index not in self.free:
                continue
            chain = self.chain(index, row.family)
            if chain:
                return self.take(row, chain, "blob")
        return Match(row)

    def chain(self, index: int, family: str) -> list[int]:
        """The layers from one of ``family`` down to ``index``; empty where there is none above it.

        Only ``index`` itself where it is of the family, or where none is asked for.
        """
        chain = [index]
        while family and self.layers[chain[-1]].family != family:
            sources = [s for s in self.sources[chain[-1]] if s in self.free]
            if self.layers[chain[-1]].family not in _FOLLOWERS or not sources:
                return []
            chain.append(max(sources))
        return chain[::-1]

    def take(
        self,
        row: TimedRow,
        indices: Sequence[int],
        how: str,
        parallel: bool = False,
        missing: Sequence[str] = (),
    ) -> Match:
        """Book layers for a row, the one that does the work in front; none is no match."""
        if not indices:
            return Match(row)
        self.free -= set(indices)
        host = [i for i in indices if self.layers[i].family in HOSTS]
        host += [i for i in indices if self.layers[i].family and i not in host]
        ordered = dict.fromkeys([*host[:1], *indices])
        return Match(row, tuple(ordered), how, parallel, tuple(missing))

    def with_followers(self, match: Match) -> Match:
        """Caffe's pair: a BatchNorm of other tools is also the Scale after it."""
        if not match.layers or match.row.family not in ("batchnorm",) or match.parallel:
            return match
        last = match.layers[-1]
        after = self.readers.get(last, [])
        if len(after) != 1 or after[0] not in self.free:
            return match
        if self.layers[after[0]].family != "scale" or self.layers[last].family != "batchnorm":
            return match
        self.free.discard(after[0])
        return Match(match.row, (*match.layers, after[0]), "fused", False, match.missing)


def _forms(name: str) -> Iterator[str]:
    """A name, and what is left of it without a tool's additions."""
    seen: set[str] = set()
    text = name.strip()
    while text and text not in seen:
        seen.add(text)
        yield text
        plain = "_".join(text.split())
        if plain != text:
            yield plain
        wrapped = _WRAPPED.fullmatch(text)
        text = wrapped[1] if wrapped else _ADDED.sub("", text)


def _by_order(found: list[Match], finder: _Finder) -> None:
    """Match the rows that are left, between those that are matched, with the layers left there."""
    rows = [i for i, match in enumerate(found) if not match.layers and not match.row.moves]
    free = [i for i in sorted(finder.free) if _computes(finder.layers[i])]
    if not rows or not free or max(len(rows), len(free)) > _MOST:
        return
    described = [i for i in rows if found[i].row.family]
    if described:
        _by_shape(found, finder, described, free)
    elif len(rows) == len(free) and len(rows) == len([m for m in found if not m.row.moves]):
        for i, layer in zip(rows, free, strict=True):
            found[i] = finder.take(found[i].row, [layer], "order")


def _by_shape(
    found: list[Match], finder: _Finder, rows: Sequence[int], free: Sequence[int]
) -> None:
    weights = any(found[i].row.weight for i in rows)
    outputs = all(found[i].row.outputs for i in rows)
    mine = [_row_key(found[i].row, weights, outputs) for i in rows]
    layers = [i for i in free if finder.layers[i].family]
    theirs = [_layer_key(finder.layers[i], weights, outputs) for i in layers]
    matcher = SequenceMatcher(None, mine, theirs, autojunk=False)
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            i, layer = rows[block.a + step], layers[block.b + step]
            found[i] = finder.take(found[i].row, [layer], "order")


Key = tuple[object, ...]


def _row_key(row: TimedRow, weights: bool, outputs: bool) -> Key:
    """What a row has to agree in with its layer."""
    first = row.inputs[:1]
    if row.family == "concat":
        first = ()
    return (
        row.family,
        first,
        row.weight if weights and row.family in ("conv", "deconv") else (),
        row.outputs[:1] if outputs else (),
    )


def _layer_key(layer: Layer, weights: bool, outputs: bool) -> Key:
    c = layer.configuration
    first = tuple(shape for shape in layer.bottom_shapes[:1] if shape is not None)
    weight: tuple[int, ...] = ()
    if weights and c is not None and layer.family in ("conv", "deconv"):
        kernel = (c.kernel_height, c.kernel_width)
        weight = (c.out_channels, c.in_channels // c.groups, *kernel)
        if layer.family == "deconv":
            weight = (c.in_channels, c.out_channels // c.groups, *kernel)
    if layer.family == "fc" and c is not None and len(first[0] if first else ()) != 2:
        # Caffe's inner product flattens by itself; other tools have a view before it.
        first = ((c.batch, c.in_channels),)
    if layer.family == "concat":
        first = ()
    tops = tuple(shape for shape in layer.top_shapes[:1] if shape is not None) if outputs else ()
    return (layer.family, first, weight, tops)


def _computes(layer: Layer) -> bool:
    known = FAMILY.get(layer.family)
    return known is not None and layer.family != "dropout"


def shares(matches: Sequence[Match]) -> Mapping[str, float]:
    """The share of the time by how it is matched, moved data and unmatched rows among them."""
    total = sum(match.row.runtime_ms for match in matches)
    found: dict[str, float] = {}
    for match in matches:
        how = match.how or ("moved data" if match.row.moves else "unmatched")
        found[how] = found.get(how, 0.0) + match.row.runtime_ms
    return {how: time / total if total else 0.0 for how, time in sorted(found.items())}
