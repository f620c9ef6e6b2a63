"""A network from a file of either form: a prototxt, or an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.core.errors import InputError

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network


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
    """A prototxt as ``caffe.network.load_network`` reads it; a file ``*.onnx`` as an ONNX model.

    An ONNX model has no phases, stages and levels and is never strict: those options are for
    prototxts. ``InputError`` names the file.
    """
    if str(path).endswith(".onnx"):
        if phase != "TEST" or stages or level or strict or data_shape is not None:
            raise InputError(
                "an ONNX model has one phase only: leave out --phase, --stage, --level, --strict "
                "and --data-shape",
                path=path,
            )
        from neuralpower.onnx_in.network import load_onnx

        return load_onnx(path, batch=batch, blob_shapes=blob_shapes)
    from neuralpower.caffe.network import load_network as load_prototxt

    return load_prototxt(
        path,
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
