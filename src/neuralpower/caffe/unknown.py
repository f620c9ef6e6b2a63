"""Fields that the schema does not know: which of them may change a layer's shape or cost.

A misspelt ``strid: 2`` is read past, and the layer's figures are then wrong without a mark. So a
field that nobody knows makes its layer "not sure", unless it is of a kind that changes neither
shapes nor work: how weights are filled and learnt, which engine runs, how data are augmented and
losses weighted, how numbers are quantised. A field close to a known one counts as that one
misspelt, and is forgiven only where Caffe's own field is of such a kind.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: Messages in which no field changes a shape, the work or the results at inference: how weights
#: are filled, learnt and stored, and losses.
_HARMLESS_NAMES = (
    "FillerParameter ParamSpec LossParameter BlobProto HDF5OutputParameter HingeLossParameter "
    "InfogainLossParameter ContrastiveLossParameter ClassesParameter CenterParameter"
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
    "width channels is_color force_color force_gray new_length resize_param resize_mode "
    "height_scale width_scale num_segments modality label_type"
)
_DATA_SIZES = frozenset(_DATA_SIZE_NAMES.split())
#: Fields of Caffe of the same kinds: one of them misspelt changes nothing either.
_HARMLESS_FIELDS = r"""(?x)
    .*filler | engine | backend | blobs_lr | weight_decay | .*loss.* | propagate_down | name
    | force_backward | debug_info | force_nd_im2col | share_in_parallel | per_fla_fuse
    | stable_prod_grad | hdf5_output_param
    """
#: Fields of forks, by their full names, that change nothing.
_FORK_NAMES = (
    "frozen icnet saturate blobs_lr name clip weight_fixed dis_mode gen_mode sample_weights_test "
    "scale_train reshape_every_iter share_in_parallel negative_slope relu conv_algos_override "
    "forward_type net_id temperature unpool strict_dim evaluation_method reorg_input reorg_output "
    "out_pad python_param update_global_stats"
)
_OF_FORKS = frozenset(_FORK_NAMES.split())
#: Kinds of names of forks that change nothing, wherever they are.
_HARMLESS = r"""(?x)
    .*filler.* | .*engine.* | .*_algo.* | cudnn.* | .*_math(_.*)?
    | .*(lr|decay)(_mult|_policy)?  | lr_.* | .*momentum.* | .*moving_average.*
    | .*(eps|epsilon) | .*global_stats
    | .*(input|output|weight|bias)_(scale|zero_point) | .*quant.* | .*bit_?width.*
    | .*precision.* | .*(bw|fl)_(layer|params).* | .*_(fl|bw|int|dec) | .*rounding.* | .*int8.*
    | .*(sparse|sparsity|prun|splic|c_rate|iter_stop).* | .*mask_filler
    | .*(seed|debug|verbose|visualize|print|log)(_.*)? | comment.* | desc.*
    | .*thr(esh(old)?)?(_.*)? | .*iou.* | nms.* | .*variance.* | .*ignore.* | .*label_map.*
    | .*loss.* | .*regulari[sz].* | .*gradient.* | .*_grad | .*backward.* | .*backprop.*
    | propagate.* | force_nd.* | workspace.* | .*memory.* | .*smooth.* | .*coeff_schedule.*
    | .*backend.* | device.* | .*parallel.* | .*per_fla_fuse.* | .*winograd.*
    | eltwise_.* | .*(detection|evaluat|nms).* | .*transform_param | .*_data_param
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
    if message == "ParamSpec":
        # Its name shares weights with another layer; all others are about learning.
        return closest(name, known) == "name"
    if message in _HARMLESS_MESSAGES:
        return False
    if name in _OF_FORKS:
        return False
    likely = closest(name, known)
    if message in _DATA_MESSAGES:
        return likely in _DATA_SIZES
    if likely is None:
        return not (fork or _harmless(name))
    if re.fullmatch(_HARMLESS_FIELDS, likely):
        return False
    # With a word more than Caffe's field a name is a fork's; else it is Caffe's with a slip.
    longer = set(filter(None, name.split("_"))) > set(likely.split("_"))
    return not (_harmless(name) and (longer or "quant" in name))


def _harmless(name: str) -> bool:
    if re.fullmatch(_HARMLESS, name):
        return True
    return bool(re.fullmatch(_SWITCH, name)) and not re.search(_SIZES, name)
