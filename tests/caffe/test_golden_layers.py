"""What every layer type takes and makes, and what its layers are resolved to, as stored tables."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from golden import check

from neuralpower.caffe.layers import _MODULE_OF, find
from neuralpower.caffe.operation import Operation
from neuralpower.caffe.registry import LAYER_TYPES, LayerType
from neuralpower.caffe.shapes import shape_text

pytest.importorskip("onnxruntime")
from forms import LAYERS, one_layer_network

from neuralpower.frameworks.program import network_program

GOLDEN = Path(__file__).parent / "golden"
#: Functions, whose results are in the other table, and what every line has.
_FUNCTIONS = ("shapes", "operation", "name", "bottoms", "tops")


def said(value: object) -> str:
    return "by-parameters" if callable(value) else str(value).replace(" ", "")


def computed(operation: Operation) -> str:
    """The properties of an operation beside its fields, one line each."""
    kind = type(operation)
    names = sorted(
        name for name in dir(kind)
        if isinstance(getattr(kind, name), property) and not hasattr(Operation, name)
    )  # fmt: skip
    return "".join(f"  {name} {getattr(operation, name)}\n" for name in names)


def test_what_layer_types_take_and_make() -> None:
    """Numbers of bottoms and tops, and the other rules of a type that are not the usual ones."""
    # Types are loaded when they are asked for: all of ours, and none of a plugin of another test.
    for name in _MODULE_OF:
        find(name)
    ours = [kind for name, kind in sorted(LAYER_TYPES.items()) if name in _MODULE_OF]
    lines = []
    for kind in ours:
        rules = [f"bottoms={said(kind.bottoms)}", f"tops={said(kind.tops)}"]
        rules += [
            f"{f.name}={said(value)}" for f in fields(LayerType)
            if f.name not in _FUNCTIONS and (value := getattr(kind, f.name)) != f.default
        ]  # fmt: skip
        lines.append(f"{kind.name}: {' '.join(rules)}\n")
    check(GOLDEN / "layer_types.txt", "".join(lines))


def test_what_layers_are_resolved_to() -> None:
    """Shapes, parameters, work and the operation with every default, of a layer of each form."""
    parts = []
    for kind, options, shapes, tops in LAYERS:
        network = one_layer_network(kind, options, shapes, tops)
        layer = network.layers[-1]
        made = " ".join(shape_text(shape) for shape in layer.top_shapes)
        operation = network_program(network).steps[-1].operation
        parts.append(
            f"{kind} {' '.join(options.split())}\n"
            f"  {' '.join(map(shape_text, shapes))} -> {made}, {layer.params} parameters, "
            f"{layer.macs} MACs, family {layer.family or 'none'}\n"
            f"  {layer.configuration}\n"
            f"  {operation}\n"
            f"{computed(operation)}"
        )
    check(GOLDEN / "layers.txt", "".join(parts))
