"""Sizes of data layers: what the file gives, what is assumed, and what must be asked for."""

from __future__ import annotations

import pytest
from caffe_texts import last, one_layer, tops

from neuralpower.caffe.network import parse_network
from neuralpower.core.errors import InputError

DATA = [
    ("Data", "data_param { batch_size: 2 } transform_param { crop_size: 64 }", "2x3x64x64 2"),
    ("Data", "data_param { batch_size: 2 } transform_param { crop_h: 32 crop_w: 64 }",
     "2x3x32x64 2"),
    ("Data", "data_param { batch_size: 2 source: 'x/mnist_train_lmdb' }", "2x1x28x28 2"),
    ("Data", "data_param { batch_size: 2 source: 'cifar10_test' }", "2x3x32x32 2"),
    ("Data", "data_param { batch_size: 2 source: 'mnist_siamese_train_leveldb' }", "2x2x28x28 2"),
    ("Data", "data_param { batch_size: 2 } transform_param { resize_param { height: 9 width: 8 } }",
     "2x3x9x8 2"),
    ("ImageData", "image_data_param { batch_size: 2 new_height: 9 new_width: 8 is_color: false }",
     "2x1x9x8 2"),
    ("ImageData", "image_data_param { batch_size: 2 } transform_param { crop_size: 9 }",
     "2x3x9x9 2"),
    ("WindowData", "window_data_param { batch_size: 2 } transform_param { crop_size: 9 }",
     "2x3x9x9 2"),
    ("DenseImageData", "dense_image_data_param { batch_size: 2 new_height: 9 new_width: 8 }",
     "2x3x9x8 2x1x9x8"),
    ("ImageSegData", "image_data_param { batch_size: 2 label_type: PIXEL } "
     "transform_param { crop_size: 9 }", "2x3x9x9 2x1x9x9"),
    ("AnnotatedData", "data_param { batch_size: 2 } transform_param { resize_param { "
     "height: 9 width: 8 resize_mode: FIT_LARGE_SIZE_AND_PAD } }", "2x3x9x8 1x1x1x8"),
    ("VideoData", "video_data_param { batch_size: 2 new_length: 5 num_segments: 3 "
     "new_height: 256 new_width: 340 modality: FLOW } transform_param { crop_size: 224 }",
     "2x30x224x224 2"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "options", "shapes"), DATA)
def test_sizes_of_data_that_the_file_gives(kind: str, options: str, shapes: str) -> None:
    layer = last(f'layer {{ name: "d" type: "{kind}" top: "a" top: "b" {options} }}')
    assert tops(layer) == shapes
    assert not layer.doubts
    text = f'layer {{ type: "{kind}" top: "a" top: "b" {options} }}'
    given = last(text, data_shape=(30 if kind == "VideoData" else 4, 999, 998))
    assert given.top_shapes[0] is not None
    assert given.top_shapes[0][1] in (4, 30)
    assert given.assumed == ()


def test_sizes_that_the_file_does_not_tell_stay_unknown() -> None:
    for kind in ("Data", "AnnotatedData", "DenseImageData", "HDF5Data", "ImageData"):
        layer = last(f'layer {{ type: "{kind}" top: "a" top: "b" }}')
        assert not layer.known
        assert "-shape" in layer.note


ROI_TOPS = ["data", "rois", "labels", "bbox_targets", "bbox_inside_weights"]


def test_data_of_fast_rcnn() -> None:
    names = " ".join(f'top: "{name}"' for name in ROI_TOPS)
    python = "python_param { module: 'roi_data_layer.layer' layer: 'RoIDataLayer' "
    python += "param_str: \"'num_classes': 5\" }"
    layer = last(f'layer {{ name: "d" type: "Python" {names} {python} }}')
    assert tops(layer) == "2x3x600x1000 1x5 1 1x20 1x20"


def test_data_of_fcn() -> None:
    python = "python_param { module: 'siftflow_layers' layer: 'SIFTFlowSegDataLayer' }"
    text = f'layer {{ type: "Python" top: "data" top: "sem" top: "geo" {python} }}'
    assert tops(last(text)) == "1x3x256x256 1x1x256x256 1x1x256x256"
    assert tops(last(text, data_shape=(3, 9, 8))) == "1x3x9x8 1x1x9x8 1x1x9x8"
    assert last(text).assumed


def test_proposal_targets() -> None:
    python = "python_param { module: 'rpn.proposal_target_layer' layer: 'ProposalTargetLayer' "
    python += "param_str: \"'num_classes': 4\" }"
    assert tops(last(one_layer("Python", "1x5 1x5", python, 5))) == "1x5 1x1 1x16 1x16 1x16"


def test_anchors_of_other_scales() -> None:
    python = "python_param { module: 'rpn.anchor_target_layer' layer: 'AnchorTargetLayer' "
    python += "param_str: \"'scales': !!python/tuple [4, 8, 16, 32]\" }"
    text = one_layer("Python", "1x24x5x6 1x5 1x3", python, 4)
    assert tops(last(text)) == "1x1x60x6 1x48x5x6 1x48x5x6 1x48x5x6"


#: Data layers of unknown types: type, tops, parameters, what is given: shapes of the tops.
UNKNOWN_DATA = [
    ("TripletData", "data label", "transform_param { crop_size: 9 } data_param { batch_size: 8 }",
     "", "8x3x9x9 8"),
    ("TripletData", "anchor positive negative label", "transform_param { crop_size: 9 }",
     "", "1x3x9x9 1x3x9x9 1x3x9x9 1"),
    ("BoxData", "data label", "transform_param { crop_size: 9 } box_data_param { batch_size: 8 }",
     "", "1x3x9x9 1"),
    ("MultiLabelData", "data label", "data_param { batch_size: 8 crop_size: 9 }", "",
     "8x3x9x9 8"),
    ("MyImages", "data label", "image_data_param { batch_size: 4 new_height: 6 new_width: 8 "
     "is_color: false }", "", "4x1x6x8 4"),
    ("Reader", "blob", "transform_param { crop_size: 9 force_gray: true }", "", "1x1x9x9"),
    ("SegData", "data", "data_param { batch_size: 2 }", "3x7x7", "2x3x7x7"),
    ("SegData", "data", "transform_param { crop_size: 5 }", "3x7x7", "1x3x5x5"),
    ("Data", "data label", "data_param { batch_size: 8 crop_size: 9 }", "", "8x3x9x9 8"),
    ("Data", "data label", "data_param { batch_size: 8 crop_size: 9 }", "3x10x10", "8x3x10x10 8"),
    ("Data", "data label", "data_param { source: 'mnist' batch_size: 8 crop_size: 9 }", "",
     "8x1x28x28 8"),
    ("ImageData", "data label", "image_data_param { batch_size: 8 crop_size: 9 }", "",
     "8x3x9x9 8"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "names", "options", "item", "shapes"), UNKNOWN_DATA)
def test_data_layers_have_sensible_shapes(
    kind: str, names: str, options: str, item: str, shapes: str
) -> None:
    named = " ".join(f'top: "{name}"' for name in names.split())
    text = f'layer {{ name: "d" type: "{kind}" {named} {options} }}'
    size = tuple(map(int, item.split("x"))) if item else None
    layer = parse_network(text, data_shape=size).layers[0]
    assert tops(layer) == shapes
    assert layer.known
    assert layer.type == kind
    assert "no computation" in layer.note
    assert item or layer.assumed


def test_data_that_cannot_be_known_say_how_to_give_them() -> None:
    layer = last('layer { type: "SegData" top: "data" top: "label" data_param { batch_size: 2 } }')
    assert not layer.known
    assert "'SegData' is unknown: give --data-shape CxHxW or --blob-shape" in layer.note
    layer = last(
        'layer { type: "RoiData" top: "data" top: "rois" transform_param { crop_size: 9 } }'
    )
    assert not layer.known
    assert tops(layer) == "1x3x9x9 ?"
    assert "give --blob-shape of rois" in layer.note
    text = 'layer { type: "TripletData" top: "data" transform_param { crop_size: 9 } }'
    with pytest.raises(InputError, match=r"not known|unknown layer type"):
        parse_network(text, strict=True)
    with pytest.raises(InputError, match="unknown layer type"):
        parse_network(text, known_types=True)


@pytest.mark.parametrize(
    ("layer", "item"),
    [("SIFTFlowSegDataLayer", "256x256"), ("NYUDSegDataLayer", "425x560"),
     ("VOCSegDataLayer", "500x500"), ("SBDDSegDataLayer", "500x500"),
     ("PASCALContextSegDataLayer", "500x500")],
)  # fmt: skip
def test_sizes_of_the_sets_of_fcn(layer: str, item: str) -> None:
    text = f"""layer {{ name: "d" type: "Python" top: "data" top: "label"
      python_param {{ module: "layers" layer: "{layer}" }} }}"""
    assert tops(last(text)) == f"1x3x{item} 1x1x{item}"


@pytest.mark.parametrize(
    ("source", "item"),
    [("examples/mnist/mnist_test_lmdb", "1x28x28"), ("cifar10_test_lmdb", "3x32x32"),
     ("ilsvrc12_val_lmdb", "3x256x256"), ("ImageNet/val", "3x256x256"),
     ("siamese_mnist_lmdb", "2x28x28")],
)  # fmt: skip
def test_sizes_of_items_by_the_name_of_the_data(source: str, item: str) -> None:
    text = f"""layer {{ name: "d" type: "Data" top: "data" top: "label"
      data_param {{ source: "{source}" batch_size: 7 }} }}"""
    assert tops(last(text)) == f"7x{item} 7"
    with pytest.raises(InputError, match="the size of one item is in the database"):
        last(text, strict=True)
