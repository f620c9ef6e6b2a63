"""A prototxt as Caffe sees it: the layers of a network with shapes, parameters and MACs."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import IO, cast

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe import textformat
from neuralpower.caffe.build import build
from neuralpower.caffe.document import Document, Doubt
from neuralpower.caffe.layer import Layer
from neuralpower.caffe.refusal import Refusal
from neuralpower.caffe.rules import State
from neuralpower.caffe.shapes import Shape, shape_text
from neuralpower.caffe.upgrade import upgrade
from neuralpower.caffe.wiring import Options
from neuralpower.core.configuration import CONFIGURATION_COLUMNS, LAYER_COLUMNS
from neuralpower.core.errors import InputError
from neuralpower.core.files import refuse_special
from neuralpower.core.network_files import network_name

__all__ = ["LAYER_COLUMNS", "Layer", "Network", "layer_row", "load_network", "parse_network"]


@dataclass(slots=True, eq=False)
class Network:
    """A network ready to be listed: ``name`` is the file's stem, ``title`` the prototxt's name."""

    name: str
    title: str
    layers: list[Layer] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: What makes figures unsure or assumed, with file and line: for standard error.
    warnings: list[str] = field(default_factory=list)
    inputs: dict[str, Shape | None] = field(default_factory=dict)
    outputs: dict[str, Shape | None] = field(default_factory=dict)

    @property
    def no_layers(self) -> str:
        """What a file without layers is, and what to give; empty where there are some."""
        if self.layers:
            return ""
        if any(f" {name} of " in note for note in self.notes for name in _SOLVER):
            return "no layers: this is settings of a solver: give the network that they name"
        return "no layers: this is no network: give a file with layers (of this phase and stage)"

    def coverage(self) -> dict[str, float | int]:
        """Counts and shares: layers with known shapes, layers and MACs with a model family.

        Shares are between 0 and 1; those of an empty network are 0: nothing is known of it. MACs
        are those of the layers with known shapes. ``layers_not_sure`` have a field that may be
        misspelt.
        """
        total = len(self.layers)
        known = sum(layer.known for layer in self.layers)
        macs = sum(layer.macs or 0 for layer in self.layers)
        covered = sum(layer.macs or 0 for layer in self.layers if layer.supported)
        return {
            "layers": total,
            "layers_known": known,
            "layers_known_share": known / total if total else 0.0,
            "layers_not_sure": sum(bool(layer.doubts) for layer in self.layers),
            "layers_supported": sum(layer.supported for layer in self.layers),
            "macs": macs,
            "macs_supported_share": covered / macs if macs else float(0 < known == total),
        }


def load_network(
    path: str | Path,
    *,
    phase: str = "TEST",
    stages: Sequence[str] = (),
    level: int = 0,
    batch: int | None = None,
    strict: bool = False,
    known_types: bool = False,
    assume_elementwise: bool = False,
    data_shape: Sequence[int] | None = None,
    blob_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """Read a prototxt (or ``.prototxt.gz``) and set its layers up as Caffe does.

    ``batch`` replaces the first size of every network input. ``data_shape`` (C, H, W) is one item
    of the data layers; ``blob_shapes`` are blobs that come from outside the file. ``strict``
    refuses what BVLC Caffe refuses; otherwise the forks' fields and types are notes, and a layer
    whose shape cannot be known is listed with the reason; with ``known_types`` a type that neither
    Caffe nor a known fork has, a misspelt one mostly, is refused as well, and with
    ``assume_elementwise`` such a type of one bottom and one top keeps its shape.

    Raises ``InputError`` naming the file, and the line where there is one.
    """
    source = Path(path)
    return parse_network(
        _read(source),
        path=str(path),
        name=network_name(source),
        phase=phase,
        stages=stages,
        level=level,
        batch=batch,
        strict=strict,
        known_types=known_types,
        assume_elementwise=assume_elementwise,
        data_shape=data_shape,
        blob_shapes=blob_shapes,
    )


def parse_network(
    text: str,
    *,
    path: str = "<text>",
    name: str = "network",
    phase: str = "TEST",
    stages: Sequence[str] = (),
    level: int = 0,
    batch: int | None = None,
    strict: bool = False,
    known_types: bool = False,
    assume_elementwise: bool = False,
    data_shape: Sequence[int] | None = None,
    blob_shapes: Mapping[str, Sequence[int]] | None = None,
) -> Network:
    """As ``load_network``, from the text of a prototxt."""
    if phase not in ("TRAIN", "TEST"):
        raise InputError(f"phase {phase!r}: TRAIN or TEST is needed")
    message = pb.NetParameter()
    document = textformat.parse(text, message, path=path, strict=strict)
    options = Options(
        phase=phase,
        batch=batch,
        strict=strict,
        known_types=known_types,
        assume_elementwise=assume_elementwise,
        data_shape=tuple(data_shape) if data_shape is not None else None,
        blob_shapes={key: tuple(value) for key, value in (blob_shapes or {}).items()},
    )
    state = State(phase, level, frozenset((*message.state.stage, *stages)))
    try:
        upgraded = upgrade(message, document.layer_offsets, strict=strict)
        doubts: dict[int, list[Doubt]] = {}
        for doubt in document.doubts:
            doubts.setdefault(doubt.layer, []).append(doubt)
        built = build(upgraded.layers, upgraded.offsets, state, options, doubts)
    except Refusal as refusal:
        line = document.line(refusal.offset) if refusal.offset >= 0 else None
        raise InputError(refusal.reason, path=path, line=line) from None
    network = Network(name, message.name, notes=[*document.notes, *upgraded.notes])
    network.layers = built.layers
    network.inputs, network.outputs = built.inputs, built.outputs
    network.warnings = _warnings(network, document) + _unused(
        network, options, path, built.data_asked
    )
    return network


def _unused(network: Network, options: Options, path: str, data_asked: bool) -> list[str]:
    """Shapes that were given for what the network does not have: slips, mostly."""
    known = {*network.inputs}.union(*((*layer.bottoms, *layer.tops) for layer in network.layers))
    lines = [
        f"{path}: no blob '{name[:60]}': its shape is not used"
        for name in options.blob_shapes
        if name not in known
    ]
    if options.data_shape is not None and not data_asked:
        lines.append(
            f"{path}: no layer asks for the shape of its data: --data-shape (data_shape) is not "
            "used; give the shape of an input as --blob-shape NAME=DIMS (blob_shapes)"
        )
    return lines if network.layers else []


#: Fields by which the settings of a solver are known.
_SOLVER = ("base_lr", "lr_policy", "max_iter", "solver_mode")
#: Different warnings that are listed for one file; the rest are counted.
_MAX_WARNINGS = 20


def _warnings(network: Network, document: Document) -> list[str]:
    """What a person must know before believing the figures, with the first place of each."""
    if not network.layers:
        return [f"{document.path}: {network.no_layers}"]
    found: dict[str, list[tuple[int, str]]] = {}
    for doubt in document.doubts:
        if doubt.layer < 0:
            found.setdefault(f"not sure: {doubt.text}", []).append((doubt.offset, ""))
    for layer in network.layers:
        for text in layer.doubts:
            found.setdefault(f"not sure: {text}", []).append((layer.offset, layer.name))
        for text in layer.assumed:
            found.setdefault(f"assumed: {text}", []).append((layer.offset, layer.name))
        if layer.unknown:
            text = f"shape unknown from here on: {layer.unknown}"
            found.setdefault(text, []).append((layer.offset, layer.name))
    lines = []
    for text, places in found.items():
        offset, name = places[0]
        place = document.path if offset < 0 else f"{document.path}:{document.line(offset)}"
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        lines.append(f"{place}: {text}" + (f" (layer '{name[:60]}'{more})" if name else ""))
    if len(lines) > _MAX_WARNINGS:
        rest = len(lines) - _MAX_WARNINGS
        lines[_MAX_WARNINGS:] = [f"{document.path}: {rest} more such lines: see the notes"]
    return lines


def _open(path: Path) -> IO[bytes]:
    refuse_special(path)
    if path.suffix != ".gz":
        return path.open("rb")
    import gzip

    return cast(IO[bytes], gzip.open(path))


def _read(path: Path) -> str:
    """The text of a file; bytes that are not UTF-8 are kept as ``surrogateescape``."""
    limit = textformat.MAX_BYTES
    try:
        with _open(path) as stream:
            data: bytes = stream.read(limit + 1)
    except FileNotFoundError:
        raise InputError("no such file: check the path", path=path) from None
    except (OSError, EOFError, ValueError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"cannot be read: {reason}", path=path) from None
    if len(data) > limit:
        raise InputError(f"the file is larger than {limit // 1_000_000} MB", path=path)
    return data.decode("utf-8", "surrogateescape")


_CONFIGURATION = CONFIGURATION_COLUMNS[1:]
_configuration_fields = attrgetter(*_CONFIGURATION)


def layer_row(network: Network, layer: Layer) -> dict[str, object]:
    """One row of the layer table, keyed by ``LAYER_COLUMNS``; unknown figures are None."""
    known = layer.known
    row: dict[str, object] = {
        "network": network.name,
        "index": layer.index,
        "name": layer.name,
        "type": layer.type,
        "family": layer.family,
        "bottoms": " ".join(layer.bottoms),
        "tops": " ".join(layer.tops),
        "bottom_shapes": " ".join(map(shape_text, layer.bottom_shapes)),
        "top_shapes": " ".join(map(shape_text, layer.top_shapes)),
        "params": layer.params if known else None,
        "params_shared": layer.params_shared if known else None,
        "macs": layer.macs,
        "input_elements": _elements(layer.bottom_shapes),
        "output_elements": _elements(layer.top_shapes),
        "weight_elements": layer.params if known else None,
        "supported": layer.supported,
        "note": layer.note,
    }
    if layer.configuration is not None:
        row.update(zip(_CONFIGURATION, _configuration_fields(layer.configuration), strict=True))
    return row


def _elements(shapes: Sequence[Shape | None]) -> int | None:
    total = 0
    for shape in shapes:
        if shape is None:
            return None
        total += math.prod(shape)
    return total
