"""The front end against real Caffe: every record of the reference, in both modes."""

from __future__ import annotations

from typing import Any

import pytest
from caffe_texts import REFERENCE, load_options, reference_files, truth

from neuralpower.caffe.network import Network, layer_row, load_network
from neuralpower.core.errors import InputError

#: Records that differ in one figure, with the reason. None is a public network.
EXCEPTIONS = {
    "t_deconv_bilinear_group": (
        "the truth counted matrix products only, and with one channel a group Caffe's BLAS sees "
        "none; the transposed convolution still does 21 x 16 x 16 x 10 x 10 products"
    ),
}
#: Public files that are templates: a script fills in "num_output: ${NUM_LABELS}" before use.
TEMPLATES = ["deeplab_vgg128_test.prototxt", "deeplabv2_vgg16_test.prototxt"]
GRADED_MACS = ("Convolution", "Deconvolution", "InnerProduct", "LSTM", "RNN")


def differences(record: dict[str, Any], network: Network) -> list[str]:
    """Where the network differs from the record."""
    expected = [layer for layer in record["layers"] if not layer.get("inserted_split")]
    layers = list(network.layers)
    if record["status"] == "ok_frcnn" and layers[0].name == "input" and expected[0]["bottoms"]:
        # That fork is older than the Input layer; our table lists what its input fields stand for.
        del layers[0]
    found = []
    if len(layers) != len(expected):
        found.append(f"{len(layers)} layers, not {len(expected)}")
    stand_ins = "--fake-tops" in record["options"]
    for want, have in zip(expected, layers, strict=False):
        shapes = want.get("top_shapes_at_setup", want["top_shapes"])
        kind = have.type if stand_ins and want["type"] == "DummyData" else want["type"]
        pairs = [
            ("name", want["name"], have.name),
            ("type", kind, have.type),
            ("top shapes", [tuple(shape) for shape in shapes], list(have.top_shapes)),
            ("params", want["param_count"], have.params),
        ]
        if want["type"] in GRADED_MACS and want["macs"] is not None:
            pairs.append(("macs", want["macs"], have.macs))
        found += [f"{want['name']}: {what} {b}, not {a}" for what, a, b in pairs if a != b]
    unique = sum(layer.params - layer.params_shared for layer in network.layers)
    if unique != record["params_learnable_unique"]:
        found.append(f"{unique} unique parameters, not {record['params_learnable_unique']}")
    return found


def test_every_gradable_record_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    agreeing, excepted, wrong = 0, [], []
    for record in truth():
        if "layers" not in record:
            continue
        path = REFERENCE / "prototxt" / record["prototxt"]
        options = load_options(record)
        found = differences(record, load_network(path, **options))
        if record["status"] == "ok_frcnn" and any("macs" in line for line in found):
            # Shapes are those of the set-up, one region; the products were counted on the fly,
            # with the 300 regions that the proposal layer then gave.
            regions = load_network(path, **options, blob_shapes={"rois": (300, 5)})
            found = [line for line in found if "macs" not in line]
            found += [line for line in differences(record, regions) if "macs" in line]
        if not found:
            agreeing += 1
        elif record["id"] in EXCEPTIONS and len(found) == 1:
            excepted.append(record["id"])
        else:
            wrong.append((record["id"], found[:3]))
    with capsys.disabled():
        print(f"\n{agreeing} records of real Caffe agree, {len(excepted)} known exceptions")
    assert not wrong
    assert excepted == list(EXCEPTIONS)
    assert agreeing > 290


def test_strict_mode_accepts_and_refuses_what_caffe_does() -> None:
    wrong = []
    for record in truth():
        path = REFERENCE / "prototxt" / record["prototxt"]
        bvlc = record["status"] in ("ok", "ok+fake_data")
        try:
            load_network(path, strict=True, **load_options(record))
            refused = ""
        except InputError as error:
            refused = str(error)
            assert "\n" not in refused
            assert refused.startswith(str(path))
        if bool(refused) == bvlc:
            wrong.append((record["id"], record["status"], refused))
    assert not wrong


def test_lenient_mode_lists_every_file_or_says_why_not() -> None:
    unreadable: dict[str, str] = {}
    for path in reference_files():
        try:
            network = load_network(path)
        except InputError as error:
            unreadable[path.name] = str(error)
            continue
        rows = [layer_row(network, layer) for layer in network.layers]
        for layer, row in zip(network.layers, rows, strict=True):
            assert layer.known or layer.note, f"{path.name}: {layer.name} says nothing"
            assert layer.known == (row["macs"] is not None)
    assert not [text for text in unreadable.values() if "\n" in text]
    public = [name for name in unreadable if not name.startswith("t_")]
    assert public == TEMPLATES
