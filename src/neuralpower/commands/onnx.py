"""``neuralpower onnx``: a network as an ONNX model, checked, and run once with ONNX Runtime."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.batches import one_batch
from neuralpower.commands.reading import add_reading_arguments, readings, warn
from neuralpower.core.errors import InputError, say
from neuralpower.core.extras import not_installed
from neuralpower.core.files import write_bytes

if TYPE_CHECKING:
    from neuralpower.frameworks.onnx.ops.graph import Built


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("prototxt", type=Path, metavar="NET.prototxt", help="the network")
    parser.add_argument("--out", required=True, type=Path, metavar="NET.onnx", help="the model")
    parser.add_argument("--batch", type=one_batch, metavar="N", help="first size of every input")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random parameters")
    parser.add_argument(
        "--caffemodel", type=Path, metavar="FILE", help="take the parameters from this file"
    )
    add_reading_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build, check, run on random data, and only then write."""
    try:
        import onnx
        import onnxruntime  # noqa: F401 - asked for early, before anything is built
    except ImportError as error:
        raise not_installed(str(error.name), "onnx") from None
    from neuralpower.caffe.network import load_network
    from neuralpower.frameworks.onnx.builder import build_network
    from neuralpower.networks.loading import refuse_empty

    network = load_network(
        arguments.prototxt,
        batch=arguments.batch,
        **readings(arguments).of(arguments.prototxt).options(),
    )
    refuse_empty(network, arguments.prototxt)
    warn([network])
    weights = None
    if arguments.caffemodel is not None:
        from neuralpower.frameworks.caffemodel import read_caffemodel

        weights = read_caffemodel(arguments.caffemodel, arguments.seed)
    try:
        built = build_network(network, arguments.seed, weights)
        model = built.model()
    except InputError as error:
        raise InputError(error.message, path=error.path or arguments.prototxt) from None
    onnx.checker.check_model(model)
    data = model.SerializeToString(deterministic=True)
    try:
        outputs = _run_once(built, arguments.seed)
    except InputError:
        raise
    except Exception as error:
        # ONNX Runtime's exceptions have no common base.
        raise InputError(f"ONNX Runtime cannot run it: {error}", path=arguments.prototxt) from None
    write_bytes(arguments.out, data)
    if weights is not None and weights.filled:
        names = ", ".join(weights.filled[:5])
        say(f"not in {arguments.caffemodel}, random instead: {names}")
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in outputs.items())
    say(
        f"{arguments.out}: {len(built.nodes)} nodes, {built.parameter_bytes / 4e6:.2f} M numbers, "
        f"outputs {shapes}"
    )
    return 0


def _run_once(built: Built, seed: int) -> dict[str, tuple[int, ...]]:
    """The shapes that ONNX Runtime computes; ``InputError`` where they differ from Caffe's."""
    import onnxruntime

    from neuralpower.frameworks.inputs import random_input
    from neuralpower.frameworks.onnx.session import open_session

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session, keep = open_session(built, options)
    feed = {spec.name: random_input(spec, seed) for spec in built.inputs}
    found: dict[str, tuple[int, ...]] = {}
    for (name, shape), value in zip(
        built.outputs.items(), session.run(list(built.outputs), feed), strict=True
    ):
        if value.shape != tuple(shape):
            raise InputError(f"{name}: ONNX Runtime gives {value.shape}, Caffe {tuple(shape)}")
        found[name] = value.shape
    del session, keep
    return found
