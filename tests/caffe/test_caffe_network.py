"""Whole networks: rules, upgrades, sharing, splits, options and the table's rows."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from caffe_texts import LENET, one_layer

from neuralpower.caffe.network import (
    LAYER_COLUMNS,
    Network,
    layer_row,
    load_network,
    parse_network,
)
from neuralpower.core.errors import InputError


def shapes(network: Network) -> dict[str, tuple[int, ...] | None]:
    return {layer.name: layer.top_shapes[0] for layer in network.layers}


def test_lenet() -> None:
    network = parse_network(LENET, name="lenet")
    assert network.title == "LeNet"
    assert shapes(network)["pool2"] == (64, 50, 4, 4)
    # 431,080 parameters: LeCun et al. as Caffe's example builds it.
    assert sum(layer.params for layer in network.layers) == 431_080
    assert network.inputs == {"data": (64, 1, 28, 28)}
    assert network.outputs == {"prob": (64, 10)}
    assert network.coverage()["layers_known_share"] == 1
    families = [layer.family for layer in network.layers]
    assert families == ["", "conv", "pool", "conv", "pool", "fc", "relu", "fc", "softmax"]


def test_rows_have_the_columns_of_the_contract() -> None:
    network = parse_network(LENET, name="lenet")
    rows = [layer_row(network, layer) for layer in network.layers]
    assert all(set(row) <= set(LAYER_COLUMNS) for row in rows)
    conv = rows[1]
    assert conv["bottom_shapes"] == "64x1x28x28"
    assert (conv["params"], conv["weight_elements"], conv["macs"]) == (520, 520, 18_432_000)
    assert (conv["input_elements"], conv["output_elements"]) == (64 * 784, 64 * 20 * 576)
    assert (conv["family"], conv["supported"], conv["kernel_height"]) == ("conv", True, 5)
    assert (rows[0]["supported"], rows[0]["note"]) == (False, "no computation")


def test_batch_replaces_the_first_size() -> None:
    assert shapes(parse_network(LENET, batch=3))["prob"] == (3, 10)
    text = 'layer { name: "d" type: "Data" top: "a" data_param { batch_size: 9 } }'
    assert shapes(parse_network(text, batch=3, data_shape=(1, 2, 2)))["d"] == (3, 1, 2, 2)


# --------------------------------------------------------------------------------------- rules

RULES = """
state { stage: "from-file" level: 7 phase: TRAIN }
layer { name: "train" type: "Silence" include { phase: TRAIN } }
layer { name: "not-train" type: "Silence" exclude { phase: TRAIN } }
layer { name: "level" type: "Silence" include { min_level: 2 max_level: 3 } }
layer { name: "stage" type: "Silence" include { stage: "a" not_stage: "b" } }
layer { name: "both" type: "Silence" include { stage: "a" stage: "b" } }
layer { name: "either" type: "Silence" include { stage: "a" } include { stage: "b" } }
layer { name: "file" type: "Silence" include { stage: "from-file" } }
layer { name: "empty" type: "Silence" include { } }
"""


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, "not-train file empty"),
        ({"phase": "TRAIN"}, "train file empty"),
        ({"level": 2}, "not-train level file empty"),
        ({"level": 4}, "not-train file empty"),
        ({"stages": ["a"]}, "not-train stage either file empty"),
        ({"stages": ["a", "b"]}, "not-train both either file empty"),
    ],
)
def test_rules(options: dict[str, object], names: str) -> None:
    network = parse_network(RULES, **options)  # type: ignore[arg-type]
    assert " ".join(layer.name for layer in network.layers) == names


def test_both_kinds_of_rules_are_refused() -> None:
    text = 'layer { name: "a" type: "Silence" include { } exclude { } }'
    with pytest.raises(InputError, match="not both"):
        parse_network(text, strict=True)
    assert "not both" in parse_network(text).layers[0].note


# ---------------------------------------------------------------------------- wiring and sharing


def chain(*layers: str) -> str:
    """A network of an input of 2x3 and these layers."""
    start = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: [2, 3] } } }'
    return start + "".join(f"layer {{ {layer} }}" for layer in layers)


def test_in_place_layers_and_splits() -> None:
    fine = chain(
        'type: "ReLU" bottom: "data" top: "data"',
        'type: "TanH" bottom: "data" top: "a"',
        'type: "AbsVal" bottom: "data" top: "b"',
    )
    assert list(parse_network(fine, strict=True).outputs) == ["a", "b"]
    # Used twice before the in-place layer: Caffe splits the blob, so "data" has two sources.
    split = chain('type: "TanH" bottom: "data" top: "a"', 'type: "ReLU" bottom: "data" top: "data"')
    with pytest.raises(InputError, match="several layers"):
        parse_network(split, strict=True)
    layer = parse_network(split).layers[-1]
    assert layer.known
    assert "several layers" in layer.note


def test_a_loss_that_is_used_counts_twice() -> None:
    text = chain(
        'type: "ReLU" bottom: "data" top: "a" loss_weight: 1',
        'type: "TanH" bottom: "a" top: "a"',
    )
    with pytest.raises(InputError, match="several layers"):
        parse_network(text, strict=True)


def test_losses_make_their_top() -> None:
    text = one_layer("EuclideanLoss", "2x3 2x3", tops=0)
    layer = parse_network(text, strict=True).layers[-1]
    assert (layer.tops, layer.top_shapes) == (("(automatic)",), ((),))


def test_parameters_shared_by_name() -> None:
    layer = 'type: "InnerProduct" bottom: "{0}" top: "{1}" inner_product_param {{ num_output: 3 }} '
    specs = 'param { name: "w" } param { name: "b" }'
    text = chain(layer.format("data", "a") + specs, layer.format("a", "b") + specs)
    network = parse_network(text, strict=True)
    assert [(item.params, item.params_shared) for item in network.layers[1:]] == [(12, 0), (12, 12)]


@pytest.mark.parametrize(
    ("first", "second", "word"),
    [
        ("num_output: 3", "num_output: 4", "is 3x3 where it comes from and 4x3 here"),
        ("num_output: 3 } param { lr_mult: 1 name: 'w'", "num_output: 3", ""),
    ],
)
def test_sharing_needs_one_shape(first: str, second: str, word: str) -> None:
    text = chain(
        f'type: "InnerProduct" bottom: "data" top: "a" inner_product_param {{ {first} }} '
        + ("param { name: 'w' }" if word else ""),
        f'type: "InnerProduct" bottom: "a" top: "b" inner_product_param {{ {second} }} '
        + "param { name: 'w' lr_mult: 2 }",
    )
    with pytest.raises(InputError, match=word or "another lr_mult"):
        parse_network(text, strict=True)
    assert parse_network(text).layers[-1].known


def test_unknown_bottoms() -> None:
    text = chain(
        'name: "r" type: "ReLU" bottom: "nope" top: "a"', 'type: "TanH" bottom: "a" top: "b"'
    )
    with pytest.raises(InputError, match=r"layer 'r' \(ReLU\): unknown bottom blob 'nope'"):
        parse_network(text, strict=True)
    network = parse_network(text)
    assert [layer.known for layer in network.layers] == [True, False, False]
    assert "give --blob-shape" in network.layers[1].note
    given = parse_network(text, strict=True, blob_shapes={"nope": (4, 5)})
    assert given.outputs["b"] == (4, 5)


def test_layers_after_an_unknown_one() -> None:
    text = chain(
        'name: "x" type: "Strange" bottom: "data" top: "a"',
        'name: "l" type: "SoftmaxWithLoss" bottom: "a" bottom: "data" top: "loss"',
        'name: "r" type: "ReLU" bottom: "data" top: "b"',
    )
    network = parse_network(text)
    assert "unknown layer type 'Strange'" in network.layers[1].note
    assert network.layers[2].top_shapes == ((),)
    assert network.layers[3].known
    row = layer_row(network, network.layers[1])
    assert (row["top_shapes"], row["params"], row["macs"]) == ("?", None, None)
    assert parse_network(text, blob_shapes={"a": (2, 9)}).layers[1].known


def test_cycles_end() -> None:
    text = 'layer { type: "ReLU" bottom: "b" top: "a" } layer { type: "ReLU" bottom: "a" top: "b" }'
    assert not any(layer.known for layer in parse_network(text).layers)


# ---------------------------------------------------------------------------------- data layers


def test_data_layers_crop_and_label() -> None:
    text = """layer { name: "d" type: "Data" top: "data" top: "label"
              data_param { batch_size: 4 } transform_param { crop_size: 20 } }"""
    layer = parse_network(text, data_shape=(3, 32, 28), strict=True).layers[0]
    assert layer.top_shapes == ((4, 3, 20, 20), (4,))
    layer = parse_network(text.replace("crop_size: 20", "")).layers[0]
    assert not layer.known
    assert "--data-shape CxHxW" in layer.note
    with pytest.raises(InputError, match="crop_size 20 is more than 10x10"):
        parse_network(text, data_shape=(3, 10, 10), strict=True)


def test_data_layers_in_the_dialect_of_netscope() -> None:
    for kind in ("Data", "data"):
        text = f"""layer {{ name: "d" type: "{kind}" top: "a"
                   input_param {{ shape {{ dim: [5, 3, 8, 8] }} }} }}"""
        layer = parse_network(text, batch=2).layers[0]
        assert (layer.top_shapes, layer.known) == (((2, 3, 8, 8),), True)
        assert "input_param" in layer.note
        with pytest.raises(InputError, match="layer 'd'"):
            parse_network(text, strict=True)


def test_proposals_have_the_given_number() -> None:
    text = """layer { name: "p" type: "Python" top: "rois"
              python_param { module: "rpn.proposal_layer" layer: "ProposalLayer" } }"""
    assert shapes(parse_network(text))["p"] == (1, 5)
    assert shapes(parse_network(text, batch=7, blob_shapes={"rois": (300, 5)}))["p"] == (300, 5)


# ------------------------------------------------------------------------------------- upgrades


def test_input_fields_become_one_layer() -> None:
    text = 'input: "a" input: "b" input_dim: [1, 3, 8, 8, 2, 3, 4, 5]'
    layer = parse_network(text, strict=True).layers[0]
    assert (layer.name, layer.type, layer.tops) == ("input", "Input", ("a", "b"))
    assert layer.top_shapes == ((1, 3, 8, 8), (2, 3, 4, 5))
    text = 'input: "a" input: "b" input_shape { dim: 4 } input_shape { }'
    assert parse_network(text, strict=True).layers[0].top_shapes == ((4,), ())
    with pytest.raises(InputError, match="input 'b' has no input_shape"):
        parse_network('input: "a" input: "b" input_shape { dim: 4 }', strict=True)
    assert parse_network("input_dim: [1, 3, 8, 8]", strict=True).layers == []


V1 = """
input: "data" input_dim: [1, 3, 16, 16]
layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
         weight_decay: 3 param: "w" blob_share_mode: PERMISSIVE
         convolution_param { num_output: 4 kernel_size: 3 } }
layers { name: "s" type: SOFTMAX_LOSS bottom: "c" bottom: "c" include { phase: TRAIN } }
"""


def test_v1_layers() -> None:
    network = parse_network(V1, strict=True)
    assert [layer.type for layer in network.layers] == ["Input", "Convolution"]
    specs = network.layers[1].param.param
    assert [(spec.name, spec.lr_mult, spec.decay_mult) for spec in specs] == [
        ("w", 1, 3),
        ("", 2, 1),
    ]
    assert specs[0].share_mode == specs[0].PERMISSIVE


def test_v1_data_fields_move_to_the_transformation() -> None:
    text = """layers { name: "d" type: DATA top: "a"
              data_param { batch_size: 2 crop_size: 5 mirror: true } }"""
    layer = parse_network(text, data_shape=(1, 9, 9)).layers[0]
    assert layer.top_shapes == ((2, 1, 5, 5),)
    assert layer.param.transform_param.mirror
    # The same fields of a current layer are dead letters.
    text = 'layer { type: "Data" top: "a" data_param { batch_size: 2 crop_size: 5 } }'
    assert parse_network(text, data_shape=(1, 9, 9)).layers[0].top_shapes == ((2, 1, 9, 9),)


V0 = """
input: "data" input_dim: [1, 3, 8, 8]
layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 3 group: 1 blobs_lr: 1
                 weight_filler { type: "xavier" } biasterm: false } bottom: "p" top: "c" }
layers { layer { name: "q" type: "pool" pool: AVE kernelsize: 2 stride: 2 } bottom: "c" top: "q" }
layers { layer { name: "i" type: "innerproduct" num_output: 7 } bottom: "q" top: "i" }
"""


def test_v0_layers_and_their_padding() -> None:
    network = parse_network(V0, strict=True)
    assert [layer.name for layer in network.layers] == ["input", "c", "q", "i"]
    assert shapes(network)["c"] == (1, 4, 10, 10)
    assert network.layers[1].bottoms == ("data",)
    assert network.layers[1].params == 108
    assert network.layers[1].param.convolution_param.weight_filler.type == "xavier"
    assert shapes(network)["q"] == (1, 4, 5, 5)


def test_v0_faults() -> None:
    text = 'layers { layer { name: "a" type: "foo" } }'
    with pytest.raises(InputError, match="unknown V0 layer type 'foo'"):
        parse_network(text)
    with pytest.raises(InputError, match=":4: a padding layer feeds"):
        parse_network(V0.replace('type: "conv"', 'type: "relu"'))


def test_both_formats_in_one_file() -> None:
    text = 'layers { name: "b" type: SILENCE } layer { name: "a" type: "Silence" }'
    with pytest.raises(InputError, match="mixes"):
        parse_network(text, strict=True)
    network = parse_network(text)
    assert [layer.name for layer in network.layers] == ["b", "a"]


@pytest.mark.parametrize("words", ["layers { }", 'layers { name: "b" type: NONE }', "layer { }"])
def test_a_layer_without_a_type_is_a_fault_of_the_file(words: str) -> None:
    text = f'input: "x"\ninput_dim: [1, 3, 8, 8]\n{words}\n'
    with pytest.raises(InputError, match=r"<text>:3: the layer.* has no type: write one"):
        parse_network(text)


def test_a_missing_type_that_something_explains_is_no_fault() -> None:
    """A misspelt type is said as such; a blob whose shape is given needs none."""
    network = parse_network('layer { name: "b" tpye: "ReLU" top: "b" }')
    assert any("tpye" in doubt for doubt in network.layers[0].doubts)
    network = parse_network('layer { name: "b" top: "b" }', blob_shapes={"b": (1, 3)})
    assert network.layers[0].top_shapes == ((1, 3),)


def test_batch_norm_statistics_never_learn() -> None:
    three = "param { lr_mult: 1 } " * 3
    network = parse_network(one_layer("BatchNorm", "2x3", three), strict=True)
    assert [spec.lr_mult for spec in network.layers[-1].param.param] == [0, 0, 0]


# ---------------------------------------------------------------------------------------- files


def test_files(tmp_path: Path) -> None:
    plain = tmp_path / "lenet.v2.prototxt"
    plain.write_bytes(b"\xef\xbb\xbf" + LENET.encode())
    assert load_network(plain).name == "lenet.v2"
    packed = tmp_path / "lenet.prototxt.gz"
    packed.write_bytes(gzip.compress(LENET.encode()))
    assert len(load_network(packed).layers) == 9
    packed.write_bytes(gzip.compress(LENET.encode())[:-20])
    with pytest.raises(InputError, match="cannot be read"):
        load_network(packed)
    packed.write_bytes(gzip.compress(LENET.encode())[:10] + b"\xff" * 200)
    with pytest.raises(InputError, match="cannot be read"):
        load_network(packed)
    with pytest.raises(InputError, match="no such file"):
        load_network(tmp_path / "none.prototxt")
    with pytest.raises(InputError, match="cannot be read"):
        load_network(tmp_path)


def test_a_thousand_networks_leave_nothing_behind() -> None:
    import gc
    import resource

    parse_network(LENET)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(1000):
        parse_network(LENET)
    gc.collect()
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kb < 20_000


def test_a_misspelt_type_is_refused_where_only_known_types_are_wanted() -> None:
    text = (
        'input: "x" input_dim: [1, 3, 4, 4]\nlayer { type: "ReLu" name: "r" bottom: "x" top: "y" }'
    )
    listed = parse_network(text, path="net.prototxt", name="net")
    assert listed.layers[-1].note == "not sure: unknown layer type 'ReLu', read as ReLU"
    with pytest.raises(InputError, match=r"net\.prototxt:2: layer 'r' \(ReLu\).*misspelt"):
        parse_network(text, path="net.prototxt", name="net", known_types=True)
    given = parse_network(
        text, path="net.prototxt", name="net", known_types=True, blob_shapes={"y": (1, 3, 4, 4)}
    )
    assert given.layers[-1].top_shapes == ((1, 3, 4, 4),)
