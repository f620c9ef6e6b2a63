"""Caffe's upgrades of ``layers`` entries: V0 to V1 to the current format.

The rules are those of BVLC Caffe's ``upgrade_proto.cpp``; what Caffe dies of is a ``Refusal``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import Message

from neuralpower.caffe import caffe_pb2 as pb
from neuralpower.caffe.caffe_pb2 import LayerParameter, NetParameter, ParamSpec, V1LayerParameter
from neuralpower.caffe.layers import canonical
from neuralpower.caffe.refusal import Refusal

#: V1 layer type to V2 layer type.
V1_TYPES = {
    "NONE": "",
    "ABSVAL": "AbsVal",
    "ACCURACY": "Accuracy",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "CONCAT": "Concat",
    "CONTRASTIVE_LOSS": "ContrastiveLoss",
    "CONVOLUTION": "Convolution",
    "DATA": "Data",
    "DECONVOLUTION": "Deconvolution",
    "DROPOUT": "Dropout",
    "DUMMY_DATA": "DummyData",
    "ELTWISE": "Eltwise",
    "EUCLIDEAN_LOSS": "EuclideanLoss",
    "EXP": "Exp",
    "FLATTEN": "Flatten",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "HINGE_LOSS": "HingeLoss",
    "IM2COL": "Im2col",
    "IMAGE_DATA": "ImageData",
    "INFOGAIN_LOSS": "InfogainLoss",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "MEMORY_DATA": "MemoryData",
    "MULTINOMIAL_LOGISTIC_LOSS": "MultinomialLogisticLoss",
    "MVN": "MVN",
    "POOLING": "Pooling",
    "POWER": "Power",
    "RELU": "ReLU",
    "SIGMOID": "Sigmoid",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SILENCE": "Silence",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "SPLIT": "Split",
    "TANH": "TanH",
    "THRESHOLD": "Threshold",
    "WINDOW_DATA": "WindowData",
}

#: V0 layer type to V1 layer type.
V0_TYPES = {
    "accuracy": "ACCURACY",
    "bnll": "BNLL",
    "concat": "CONCAT",
    "conv": "CONVOLUTION",
    "data": "DATA",
    "dropout": "DROPOUT",
    "euclidean_loss": "EUCLIDEAN_LOSS",
    "flatten": "FLATTEN",
    "hdf5_data": "HDF5_DATA",
    "hdf5_output": "HDF5_OUTPUT",
    "im2col": "IM2COL",
    "images": "IMAGE_DATA",
    "infogain_loss": "INFOGAIN_LOSS",
    "innerproduct": "INNER_PRODUCT",
    "lrn": "LRN",
    "multinomial_logistic_loss": "MULTINOMIAL_LOGISTIC_LOSS",
    "pool": "POOLING",
    "relu": "RELU",
    "sigmoid": "SIGMOID",
    "softmax": "SOFTMAX",
    "softmax_loss": "SOFTMAX_LOSS",
    "split": "SPLIT",
    "tanh": "TANH",
    "window_data": "WINDOW_DATA",
}

_PARAM_OF = {
    "conv": "convolution_param",
    "pool": "pooling_param",
    "innerproduct": "inner_product_param",
    "dropout": "dropout_param",
    "lrn": "lrn_param",
    "data": "data_param",
    "hdf5_data": "hdf5_data_param",
    "hdf5_output": "hdf5_output_param",
    "images": "image_data_param",
    "window_data": "window_data_param",
    "infogain_loss": "infogain_loss_param",
    "concat": "concat_param",
}

#: V0 field: (V1 field, the V0 types that may carry it). An empty tuple: the transform field.
_V0_FIELDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "num_output": ("num_output", ("conv", "innerproduct")),
    "biasterm": ("bias_term", ("conv", "innerproduct")),
    "weight_filler": ("weight_filler", ("conv", "innerproduct")),
    "bias_filler": ("bias_filler", ("conv", "innerproduct")),
    "pad": ("pad", ("conv", "pool")),
    "kernelsize": ("kernel_size", ("conv", "pool")),
    "group": ("group", ("conv",)),
    "stride": ("stride", ("conv", "pool")),
    "pool": ("pool", ("pool",)),
    "dropout_ratio": ("dropout_ratio", ("dropout",)),
    "local_size": ("local_size", ("lrn",)),
    "alpha": ("alpha", ("lrn",)),
    "beta": ("beta", ("lrn",)),
    "k": ("k", ("lrn",)),
    "source": ("source", ("data", "hdf5_data", "images", "window_data", "infogain_loss")),
    "scale": ("scale", ()),
    "meanfile": ("mean_file", ()),
    "batchsize": ("batch_size", ("data", "hdf5_data", "images", "window_data")),
    "cropsize": ("crop_size", ()),
    "mirror": ("mirror", ()),
    "rand_skip": ("rand_skip", ("data", "images")),
    "shuffle_images": ("shuffle", ("images",)),
    "new_height": ("new_height", ("images",)),
    "new_width": ("new_width", ("images",)),
    "concat_dim": ("concat_dim", ("concat",)),
    "det_fg_threshold": ("fg_threshold", ("window_data",)),
    "det_bg_threshold": ("bg_threshold", ("window_data",)),
    "det_fg_fraction": ("fg_fraction", ("window_data",)),
    "det_context_pad": ("context_pad", ("window_data",)),
    "det_crop_mode": ("crop_mode", ("window_data",)),
    "hdf5_output_param": ("", ("hdf5_output",)),
}


def upgrade_layers(
    net: NetParameter, places: list[int], notes: list[str]
) -> tuple[list[LayerParameter], list[int]]:
    """The ``layers`` entries of a network, V0 or V1, as current layers, and their places."""
    layers = list(net.layers)
    if any(entry.HasField("layer") for entry in layers):
        layers, places = _upgrade_padding(net.input, layers, places)
        layers = [
            _from_v0(entry, notes, place) for entry, place in zip(layers, places, strict=True)
        ]
        net.ClearField("input_shape")
    for entry in layers:
        _upgrade_transform(entry)
    return [_from_v1(entry, notes) for entry in layers], places


# ------------------------------------------------------------------------------------ V0 to V1


def _upgrade_padding(
    inputs: Sequence[str], layers: list[V1LayerParameter], places: list[int]
) -> tuple[list[V1LayerParameter], list[int]]:
    """Drop V0 padding layers; the convolution or pooling that each one feeds takes its pad."""
    last_top = dict.fromkeys(inputs, -1)
    kept: list[V1LayerParameter] = []
    kept_places: list[int] = []
    for index, entry in enumerate(layers):
        kind = entry.layer.type
        bottoms = list(entry.bottom)
        for position, name in enumerate(bottoms):
            if name not in last_top:
                raise Refusal(f"unknown bottom blob '{name}'", places[index])
            source = layers[last_top[name]] if last_top[name] >= 0 else None
            if source is None or source.layer.type != "padding":
                continue
            if kind not in ("conv", "pool"):
                raise Refusal(
                    f"a padding layer feeds a layer of type '{kind}': only conv and pool take one",
                    places[index],
                )
            if len(bottoms) != 1 or len(source.bottom) != 1 or len(source.top) != 1:
                raise Refusal("a padding layer and its user take one blob each", places[index])
            entry.layer.pad = source.layer.pad
            entry.bottom[position] = source.bottom[0]
        for name in entry.top:
            last_top[name] = index
        if kind != "padding":
            kept.append(entry)
            kept_places.append(places[index])
    return kept, kept_places


def _from_v0(connection: V1LayerParameter, notes: list[str], place: int) -> V1LayerParameter:
    """One V0 entry, at a character offset of the file, as a V1 entry."""
    entry = pb.V1LayerParameter(bottom=connection.bottom, top=connection.top)
    if not connection.HasField("layer"):
        return entry
    old = connection.layer
    if old.HasField("name"):
        entry.name = old.name
    if old.HasField("type"):
        if old.type not in V0_TYPES:
            raise Refusal(f"unknown V0 layer type '{old.type[:60]}'", place)
        entry.MergeFrom(pb.V1LayerParameter(type=V0_TYPES[old.type]))
    entry.blobs.extend(old.blobs)
    entry.blobs_lr.extend(old.blobs_lr)
    entry.weight_decay.extend(old.weight_decay)
    for name, (new_name, types) in _V0_FIELDS.items():
        if not old.HasField(name):
            continue
        if not types:
            setattr(entry.transform_param, new_name, getattr(old, name))
        elif old.type in types:
            _set(getattr(entry, _PARAM_OF[old.type]), new_name, getattr(old, name))
        else:
            notes.append(f"field {name} means nothing for a V0 layer of type '{old.type}'")
    return entry


def _set(message: Message, name: str, value: Any) -> None:
    """Set, append or copy a value into a field, whichever the field takes."""
    if not name:
        message.CopyFrom(value)
    elif message.DESCRIPTOR.fields_by_name[name].is_repeated:
        getattr(message, name).append(value)
    elif message.DESCRIPTOR.fields_by_name[name].message_type is not None:
        getattr(message, name).CopyFrom(value)
    else:
        setattr(message, name, value)


# ------------------------------------------------------------------------------------ V1 to V2

_TRANSFORMED = {
    pb.V1LayerParameter.DATA: "data_param",
    pb.V1LayerParameter.IMAGE_DATA: "image_data_param",
    pb.V1LayerParameter.WINDOW_DATA: "window_data_param",
}


def _upgrade_transform(entry: V1LayerParameter) -> None:
    """Move scale, mean file, crop size and mirror of V1 data layers to ``transform_param``."""
    name = _TRANSFORMED.get(entry.type)
    if name is None or not entry.HasField(name):
        return
    old = getattr(entry, name)
    for moved in ("scale", "mean_file", "crop_size", "mirror"):
        if old.HasField(moved):
            setattr(entry.transform_param, moved, getattr(old, moved))
            old.ClearField(moved)


#: Fields with one name and one type in V1 and V2 layers: the messages, and some lists.
_SAME_FIELDS = [
    item.name
    for item in pb.V1LayerParameter.DESCRIPTOR.fields
    if item.name in pb.LayerParameter.DESCRIPTOR.fields_by_name
    and item.name not in ("type", "param")
]
_REPEATED = {item.name for item in pb.V1LayerParameter.DESCRIPTOR.fields if item.is_repeated}
_MESSAGES = {
    item.name for item in pb.V1LayerParameter.DESCRIPTOR.fields if item.message_type is not None
}


def _from_v1(old: V1LayerParameter, notes: list[str]) -> LayerParameter:
    """One V1 entry as a V2 layer."""
    new = pb.LayerParameter()
    for item, value in old.ListFields():
        name = item.name
        if name not in _SAME_FIELDS:
            continue
        if name in _REPEATED:
            getattr(new, name).extend(value)
        elif name in _MESSAGES:
            getattr(new, name).CopyFrom(value)
        else:
            setattr(new, name, value)
    if old.HasField("type"):
        new.type = V1_TYPES[pb.V1LayerParameter.LayerType.Name(old.type)]
    if old.HasField("fork_type"):
        new.type = V1_TYPES.get(old.fork_type) or canonical(old.fork_type) or old.fork_type
    while len(new.param) < max(
        len(old.param), len(old.blob_share_mode), len(old.blobs_lr), len(old.weight_decay)
    ):
        new.param.add()
    for index, name in enumerate(old.param):
        new.param[index].name = name
    for index, mode in enumerate(old.blob_share_mode):
        name = V1LayerParameter.DimCheckMode.Name(mode)
        new.param[index].MergeFrom(ParamSpec(share_mode=name))
    for index, rate in enumerate(old.blobs_lr):
        new.param[index].lr_mult = rate
    for index, decay in enumerate(old.weight_decay):
        new.param[index].decay_mult = decay
    if old.HasField("layer"):
        notes.append("a V0 'layer' inside a V1 entry is skipped")
    return new
