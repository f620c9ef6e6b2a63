"""The layers that a model of our own export says its operators are.

``neuralpower onnx`` writes beside the first operator of a layer, as its documentation, the layer in
the words of a prototxt: names, in-place blobs and types that ONNX has no operator for come back
that way. The marks are believed only where they fit the operators (``network``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe import textformat
from neuralpower.core.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

PRODUCER = "neuralpower"


def marked_layers(model: ModelProto) -> list[pb.LayerParameter]:
    """The layers' messages in order; empty where the model has none, or they cannot be read."""
    if model.producer_name != PRODUCER:
        return []
    own = {tensor.name for tensor in model.graph.initializer}
    inputs = [value.doc_string for value in model.graph.input if value.name not in own]
    texts = [*dict.fromkeys(inputs), *(node.doc_string for node in model.graph.node)]
    message = pb.NetParameter()
    try:
        text = "\n".join([*texts, model.graph.doc_string])
        textformat.parse(text, message, path="<marks>")
    except InputError:
        return []
    return list(message.layer)
