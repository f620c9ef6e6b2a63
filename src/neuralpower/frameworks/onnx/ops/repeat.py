"""Several calls of one model as one model, so that a single run makes them all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from onnx import NodeProto

from neuralpower.frameworks.onnx.ops.graph import Built


def repeated(built: Built, calls: int, sets: int) -> Built:
    """``calls`` copies of the nodes over ``sets`` sets of inputs; parameters are shared.

    Copy ``k`` reads the inputs of set ``k % sets`` (``set_name``) and makes its own outputs
    (``call_name``). No two copies are equal to a runtime that does not optimise graphs.
    """
    inputs = [
        replace(spec, name=set_name(spec.name, number))
        for number in range(sets)
        for spec in built.inputs
    ]
    fed = {spec.name for spec in built.inputs}
    nodes = []
    for call in range(calls):
        own = {name: set_name(name, call % sets) for name in fed}
        nodes += [_copied(node, call, own, built.arrays) for node in built.nodes]
    outputs = {
        call_name(name, call): shape
        for call in range(calls)
        for name, shape in built.outputs.items()
    }
    return Built(built.name, tuple(nodes), built.arrays, tuple(inputs), outputs, {})


def set_name(name: str, number: int) -> str:
    """An input's name in a set."""
    return f"{name}@{number}"


def call_name(name: str, call: int) -> str:
    """A value's name in a copy."""
    return f"{name}~{call}"


def _copied(
    node: NodeProto, call: int, fed: Mapping[str, str], constants: Collection[str]
) -> NodeProto:
    def renamed(name: str) -> str:
        if not name or name in constants:
            return name
        return fed.get(name) or call_name(name, call)

    made = type(node)()
    made.CopyFrom(node)
    made.name = call_name(node.name, call)
    made.input[:] = [renamed(name) for name in node.input]
    made.output[:] = [renamed(name) for name in node.output]
    return made
