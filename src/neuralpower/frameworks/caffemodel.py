"""Trained parameters from a .caffemodel: Caffe's network message with the blobs filled in."""

from __future__ import annotations

from pathlib import Path

import numpy
from google.protobuf.message import DecodeError

from neuralpower.caffe import caffe_pb2
from neuralpower.core.errors import InputError
from neuralpower.core.files import refuse_special
from neuralpower.frameworks.weights import Array, GivenWeights


def read_caffemodel(path: str | Path, seed: int) -> GivenWeights:
    """The parameters of every layer; layers that it lacks get seeded random ones.

    Raises ``InputError`` when the file is no .caffemodel, or not a V1 or V2 one.
    """
    message = caffe_pb2.NetParameter()
    try:
        refuse_special(path)
        message.ParseFromString(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", path=path) from None
    except DecodeError:
        raise InputError("not a .caffemodel (or cut off): download it again", path=path) from None
    blobs: dict[str, list[Array]] = {}
    layers: list[caffe_pb2.V1LayerParameter | caffe_pb2.LayerParameter] = [
        *message.layers,
        *message.layer,
    ]
    for layer in layers:
        if layer.blobs:
            blobs[layer.name] = [_array(blob, layer.name, path) for blob in layer.blobs]
    if not layers:
        raise InputError("holds no layers: is it a .caffemodel?", path=path)
    return GivenWeights(blobs, seed, str(path))


def _array(blob: caffe_pb2.BlobProto, layer: str, path: str | Path) -> Array:
    sizes = ("num", "channels", "height", "width")
    if blob.HasField("shape") or not any(map(blob.HasField, sizes)):
        # Caffe writes no shape at all for a blob without axes.
        shape = tuple(blob.shape.dim)
    else:
        shape = tuple(getattr(blob, name) for name in sizes)
    values = numpy.array(blob.data or blob.double_data, numpy.float32)
    size = 1
    for dim in shape:
        size *= dim
    if size != values.size or any(dim < 0 for dim in shape):
        raise InputError(
            f"layer {layer!r}: {values.size} numbers for a blob of shape {shape}", path=path
        )
    return values.reshape(shape)
