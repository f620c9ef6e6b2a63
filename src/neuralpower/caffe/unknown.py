"""Fields that the schema does not know: which of them may change a layer's shape or cost.

A misspelt ``strid: 2`` is read past, and the layer's figures are then wrong without a mark. So a
field that nobody knows makes its layer "not sure", unless it is of a kind that changes neither
shapes nor work: how weights are filled and learnt, which engine runs, how data are augmented and
losses weighted, how numbers are quantised. A field close to a known one counts as that one
misspelt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Messages in which no field changes a shape or the work at inference.
_HARMLESS_NAMES = (
    "FillerParameter ParamSpec LossParameter BlobProto HDF5OutputParameter PythonParameter "
    "DropoutParameter AccuracyParameter HingeLossParameter InfogainLossParameter "
    "ContrastiveLossParameter DetectionOutputParameter ClassesParameter NormFaceParameter "
    "ELUParameter ExpParameter LogParameter SigmoidParameter TanHParameter ThresholdParameter "
    "SwishParameter ReLUParameter ReLU6Parameter ClipParameter CenterParameter"
)
_HARMLESS_MESSAGES = frozenset(_HARMLESS_NAMES.split())
#: Messages of options of data layers: only the fields that give sizes matter.
_DATA_NAMES = (
    "TransformationParameter ResizeParameter DataParameter ImageDataParameter "
    "DenseImageDataParameter WindowDataParameter HDF5DataParameter MemoryDataParameter "
    "VideoDataParameter AugmentationParameter"
)
_DATA_MESSAGES = frozenset(_DATA_NAMES.split())
_DATA_SIZE_NAMES = (
    "batch_size crop_size crop_h crop_w crop_height crop_width new_height new_width height "
    "width channels is_color force_color force_gray new_length"
)
_DATA_SIZES = frozenset(_DATA_SIZE_NAMES.split())
#: Names that change nothing, wherever they are.
_HARMLESS = r"""(?x)
    .*filler.* | .*engine.* | .*_algo.* | cudnn.* | .*_math(_.*)?
    | .*(lr|decay)(_mult|_policy)?  | lr_.* | blobs_lr | .*momentum.* | .*moving_average.*
    | .*(eps|epsilon) | .*global_stats | frozen | icnet
    | .*(input|output|weight|bias)_(scale|zero_point) | saturate | .*quant.* | .*bit_?width.*
    | .*precision.* | .*(bw|fl)_(layer|params).* | .*_(fl|bw|int|dec) | .*rounding.* | .*int8.*
    | .*(sparse|sparsity|prun|splic|c_rate|iter_stop).* | .*mask_filler
    | .*(seed|debug|verbose|visualize|print|log)(_.*)? | name | comment.* | desc.*
    | .*thr(esh(old)?)?(_.*)? | .*iou.* | nms.* | .*variance.* | clip | .*ignore.* | .*label_map.*
    | weight_fixed | (dis|gen)_mode | sample_weights_test | scale_train
    | .*loss.* | .*regulari[sz].* | .*gradient.* | .*_grad | .*backward.* | .*backprop.*
    | propagate.* | reshape_every_iter | force_nd.* | share_in_parallel | workspace.* | .*memory.*
    | negative_slope | relu | conv_algos_override | .*smooth.* | .*coeff_schedule.* | forward_type
    | .*backend.* | device.* | net_id | .*parallel.* | temperature | .*per_fla_fuse.*
    | .*winograd.* | unpool | strict_dim | evaluation_method | reorg_(in|out)put | out_pad
    | eltwise_.* | .*(detection|evaluat|nms).* | .*transform_param | .*_data_param | python_param
    """
#: Switches of forks, harmless where nothing in the name is a size.
_SWITCH = r"(is|with|fuse|fused|use|enable|do)_.*"
_SIZES = (
    r"bias|pad|kernel|strid|group|dilat|hole|axis|axes|dim|shape|size|height|width|channel|pool|ceil|"
    r"global|num"
)
#: How alike a misspelt name is to the one that was meant.
_CLOSE = 0.75


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known field that ``name`` is probably a misspelling of, or None."""
    # A heavy import that only files with unknown fields need.
    import difflib

    found = difflib.get_close_matches(name.lower(), list(known), 1, _CLOSE)
    return found[0] if found else None


def matters(message: str, name: str, known: Iterable[str], *, fork: bool = False) -> bool:
    """Whether an unknown field of a message may change its layer's shapes, parameters or work.

    ``known`` are the fields that the message has. Of a ``fork``'s message the schema has only the
    fields that matter, so that another one must look like one of those.
    """
    if message in _HARMLESS_MESSAGES:
        return False
    likely = closest(name, known)
    if message in _DATA_MESSAGES:
        return likely in _DATA_SIZES
    if fork and likely is None:
        return False
    return not (_harmless(name) or (likely is not None and _harmless(likely)))


def _harmless(name: str) -> bool:
    if re.fullmatch(_HARMLESS, name):
        return True
    return bool(re.fullmatch(_SWITCH, name)) and not re.search(_SIZES, name)
