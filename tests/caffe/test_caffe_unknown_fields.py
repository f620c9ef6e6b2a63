"""Fields that no schema knows: which make a layer not sure, and which are skipped."""

from __future__ import annotations

import re

import pytest
from caffe_texts import last, one_layer

from neuralpower.caffe import caffe_pb2
from neuralpower.caffe.fields import field_table, fork_messages
from neuralpower.caffe.network import parse_network
from neuralpower.caffe.unknown import matters
from neuralpower.core.errors import InputError

MATTER = [
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 strid: 2 }", "stride"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 groups: 2 }", "group"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 bias: false }", ""),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 use_bias: false }", ""),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } convolutin_param { }",
     "convolution_param"),
    ("Pooling", "pooling_param { kernel_size: 3 ceil: false }", ""),
    ("Pooling", "pooling_param { kernel_size: 3 pool: MEDIAN }", ""),
    ("Concat", "concat_param { axs: 2 }", "axis"),
    ("LRN", "lrn_param { local_sise: 3 }", "local_size"),
    ("InnerProduct", "inner_product_param { num_output: 2 bias_trem: false }", "bias_term"),
    ("Flatten", "flatten_param { end_axs: 2 }", "end_axis"),
    ("BatchNorm", "batch_norm_param { use_global: true }", "use_global_stats"),
    ("BatchNorm", "batch_norm_param { use_global_statistics: true }", "use_global_stats"),
    ("BatchNorm", "batch_norm_param { epss: 1 }", "eps"),
    ("BatchNorm", "batch_norm_params { eps: 1 }", "batch_norm_param"),
    ("ReLU", "relu_param { negative_slop: 1 }", "negative_slope"),
    ("ELU", "elu_param { alpa: 1 }", "alpha"),
    ("Power", "power_param { pwer: 1 }", "power"),
    ("Dropout", "dropout_param { dropout_ration: 0.5 }", "dropout_ratio"),
    ("Softmax", "softmax_param { axs: 2 }", "axis"),
    ("Eltwise", "eltwise_parms { operation: PROD }", "eltwise_param"),
    ("Scale", "scale_param { bias_trem: true }", "bias_term"),
    ("MVN", "mvn_param { across_chanels: true }", "across_channels"),
    ("Normalize", "norm_param { across_spacial: true }", "across_spatial"),
    ("Accuracy", "accuracy_param { topk: 5 }", "top_k"),
    ("Python", "python_param { layr: 'X' }", "layer"),
    ("ROIAlign", "roialign_param { pooled_h: 7 }", "roi_align_param"),
    ("Pooling3D", "pooling3d_param { kernel_size: 2 }", "pooling_param"),
    ("ReLU", "includ { phase: TRAIN }", "include"),
    ("ReLU", "include { phse: TEST }", "phase"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "likely"), MATTER)
def test_unknown_fields_make_a_layer_not_sure(kind: str, options: str, likely: str) -> None:
    text = one_layer(kind, "1x3x8x8", options)
    network = parse_network(text, path="net.prototxt")
    layer = network.layers[-1]
    assert layer.note.startswith("not sure: unknown ")
    assert (f"(is it {likely}?)" in layer.note) == bool(likely)
    assert network.warnings[0].startswith("net.prototxt:2: not sure: unknown ")
    assert network.coverage()["layers_not_sure"] == 1
    with pytest.raises(InputError, match=r"net\.prototxt:2:"):
        parse_network(text, path="net.prototxt", strict=True)


#: Fields that change neither shapes nor work nor results at inference, and those of data layers
#: that are no sizes: the only ones that may be misspelt without a mark.
FORGIVEN = re.compile(
    r"(FillerParameter|ParamSpec|LossParameter|BlobProto|HDF5OutputParameter|HingeLossParameter"
    r"|InfogainLossParameter|ContrastiveLossParameter|ClassesParameter|CenterParameter)\..*"
    r"|\w*(Data|Transformation|Resize|Augmentation)Parameter\."
    r"(?!batch|crop_(?!mode)|new|height|width|channels|is_color|resize_param|resize_mode).*"
    r"|.*\.(\w*filler|engine|blobs_lr|weight_decay|\w*loss\w*|propagate_down|name|debug_info"
    r"|force_backward|force_nd_im2col|share_in_parallel|per_fla_fuse|stable_prod_grad"
    r"|hdf5_output_param|relu|out_pad)"
)
#: Shorter fields have too little in them to say what was meant.
SHORT = 4


def slips(name: str) -> list[str]:
    """A name with a letter less, one more, two changed over, and without its underscores."""
    return [name[:-1], f"{name}s", f"{name[0]}{name[2]}{name[1]}{name[3:]}", name.replace("_", "")]


@pytest.mark.parametrize("kind", sorted(caffe_pb2.DESCRIPTOR.message_types_by_name))
def test_no_slip_in_a_field_that_counts_is_forgiven(kind: str) -> None:
    message = caffe_pb2.DESCRIPTOR.message_types_by_name[kind]
    known = field_table(message)
    for name in known:
        if len(name) < SHORT or FORGIVEN.fullmatch(f"{kind}.{name}"):
            continue
        for slip in set(slips(name)) - set(known):
            assert matters(kind, slip, known, fork=kind in fork_messages()), slip


HARMLESS = [
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 weight_fillr { std: 1 } }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 engine: MKL2017 }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 cudnn_convolution_algo: 1 }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } blobs_lr: 1 blobs_lr: 2"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 weight_filler { vale: 1 } }"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } quantization_param {}"),
    ("Convolution", "convolution_param { num_output: 2 kernel_size: 3 } param { lr_mul: 1 }"),
    ("Dropout", "dropout_param { dropout_ratio: 0.5 scale_train: false }"),
    ("BatchNorm", "batch_norm_param { update_global_stats: true engine: CAFFE }"),
    ("Data", "data_param { batch_size: 2 prefetch_count: 2 } transform_param { crop_size: 4 "
     "max_rotation_angle: 3 }"),
    ("SoftmaxWithLoss", "loss_param { weight_by_label_freqs: true class_weighting: 2 }"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options"), HARMLESS)
def test_harmless_unknown_fields_are_passed_over(kind: str, options: str) -> None:
    network = parse_network(one_layer(kind, "" if kind == "Data" else "1x3x8x8", options))
    assert network.layers[-1].doubts == ()
    assert not [line for line in network.warnings if "not sure" in line]


def test_a_misspelt_size_of_data_matters() -> None:
    layer = last('layer { type: "Data" top: "a" data_param { batch_sise: 2 } '
                 "transform_param { crop_size: 9 crop_hight: 2 } }")  # fmt: skip
    assert len(layer.doubts) == 2


def test_doubts_of_one_kind_are_one_line() -> None:
    layer = 'layer { name: "r%d" type: "ReLU" bottom: "b0" top: "t%d" odd: 1 }\n'
    network = parse_network(one_layer("ReLU", "2") + "".join(layer % (i, i) for i in range(1, 40)))
    assert len(network.warnings) == 1
    assert network.warnings[0].endswith("(layer 'r1' and 38 more)")


def test_faults_of_input_fields_name_their_line() -> None:
    text = 'name: "n"\ninput: "x"\ninput_dim: 1 input_dim: -3 input_dim: 4 input_dim: 4\n'
    with pytest.raises(InputError, match=r"f:3: .*negative size"):
        parse_network(text, path="f", strict=True)
    with pytest.raises(InputError, match=r"f:2: unknown V0 layer type 'foo'"):
        parse_network('\nlayers { layer { type: "foo" } }', path="f")
