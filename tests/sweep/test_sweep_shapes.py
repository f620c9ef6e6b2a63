"""Output sizes: against counting by hand, and against every layer that real Caffe shaped."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sweep_fixtures import REPOSITORY, layer

from neuralpower.core import cost
from neuralpower.core.configuration import Configuration
from neuralpower.core.geometry import complete, conv_size, deconv_size, pool_size

TRUTH = REPOSITORY / "../shared/reference/caffe/truth.jsonl.gz"

sizes, kernels = st.integers(1, 70), st.integers(1, 15)
strides, pads, dilations = st.integers(1, 6), st.integers(0, 15), st.integers(1, 4)


@given(sizes, kernels, strides, pads, dilations)
def test_conv_counts_the_windows_that_fit(
    size: int, kernel: int, stride: int, pad: int, dilation: int
) -> None:
    reach = dilation * (kernel - 1)
    starts = [i for i in range(0, size + 2 * pad, stride) if i + reach < size + 2 * pad]
    assert (conv_size(size, kernel, stride, pad, dilation) or 0) == len(starts)


@given(sizes, kernels, strides, pads)
def test_pool_covers_the_image_and_starts_inside_it(
    size: int, kernel: int, stride: int, pad: int
) -> None:
    out = pool_size(size, kernel, stride, pad)
    # the first window starts at 0, and windows go on until one reaches the end
    ends = size + 2 * pad
    if pad >= kernel or kernel - ends >= stride:
        assert out is None
        return
    windows = 1
    while (windows - 1) * stride + kernel < ends:
        windows += 1
    clipped = pad > 0 and (windows - 1) * stride >= size + pad
    assert out == windows - clipped
    assert out >= 1


@given(sizes, kernels, strides, pads, dilations)
def test_deconv_is_undone_by_conv(
    size: int, kernel: int, stride: int, pad: int, dilation: int
) -> None:
    out = deconv_size(size, kernel, stride, pad, dilation)
    if out is not None and out + 2 * pad > dilation * (kernel - 1):
        assert conv_size(out, kernel, stride, pad, dilation) == size


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "out"),
    [
        (55, 3, 2, 0, 27),  # AlexNet
        (112, 3, 2, 0, 56),  # GoogLeNet: rounded up
        (14, 3, 2, 1, 8),  # rounded up, the last window starts inside
        (3, 2, 2, 1, 2),  # clipped: the third window would start in the trailing border
        (7, 7, 1, 0, 1),
        (2, 3, 1, 0, None),
        (1, 2, 2, 0, 1),  # a window larger than the map, clipped
        (9, 2, 1, 2, None),  # Caffe refuses a pad as large as the kernel
    ],
)
def test_pool_rule_of_caffe(size: int, kernel: int, stride: int, pad: int, out: int | None) -> None:
    assert pool_size(size, kernel, stride, pad) == out


def test_impossible_configurations() -> None:
    base = Configuration("conv", 1, 6, 8, 8, 9, 0, 0)
    assert complete(base) is not None
    for change in ({"groups": 2}, {"kernel_height": 9}, {"batch": 0}, {"kernel_width": 9}):
        fields: dict[str, Any] = {name: getattr(base, name) for name in base.__slots__} | change
        assert complete(Configuration(**fields)) is None


def test_costs_by_hand() -> None:
    conv2 = layer("conv", 96, 27, 256, kernel_height=5, kernel_width=5, pad_height=2, pad_width=2,
                  groups=2, bias=1)  # fmt: skip
    assert cost.macs(conv2) == 223_948_800  # AlexNet's second convolution
    assert cost.weight_elements(conv2) == 307_456
    assert cost.input_elements(conv2) == 96 * 27 * 27
    assert cost.output_elements(conv2) == 256 * 27 * 27
    assert cost.total_bytes(conv2) == 4 * (96 * 27 * 27 + 256 * 27 * 27 + 307_456)
    fc6 = layer("fc", 9216, 1, 4096, bias=1)
    assert (cost.macs(fc6), cost.weight_elements(fc6)) == (37_748_736, 37_752_832)
    up = layer("deconv", 21, 16, 21, kernel_height=4, kernel_width=4, stride_height=2,
               stride_width=2)  # fmt: skip
    assert (up.out_height, cost.macs(up)) == (34, 16 * 16 * 21 * 21 * 16)
    pool = layer("pool", 64, 112, kernel_height=3, kernel_width=3, stride_height=2, stride_width=2)
    assert (cost.macs(pool), cost.operations(pool)) == (0, 64 * 56 * 56 * 9)
    assert cost.weight_elements(layer("batchnorm", 64, 7)) == 129
    assert cost.weight_elements(layer("scale", 64, 7, bias=1)) == 128
    assert cost.input_elements(layer("eltwise", 64, 7, inputs=3)) == 3 * 64 * 49


def test_shapes_and_macs_agree_with_real_caffe() -> None:
    if not TRUTH.is_file():
        pytest.skip("shared/reference/caffe is not beside the repository")
    checked = 0
    with gzip.open(TRUTH, "rt", encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            rounds_down = "roundmode" in record["id"] or "floor" in record["id"]
            if record["status"] not in ("ok", "ok_ssd", "ok_frcnn") or rounds_down:
                continue
            for item in record.get("layers", ()):
                configuration = _configuration(item)
                if configuration is not None:
                    checked += 1
                    # Caffe lets a pooling end in an empty map; a sweep has no use for one
                    empty = cost.output_elements(configuration) == 0
                    expected = None if empty else configuration
                    assert complete(configuration) == expected, (record["id"], item["name"])
                    if item["macs"]:  # one layer was not measured and says 0
                        assert cost.macs(configuration) == item["macs"], (
                            record["id"],
                            item["name"],
                        )
    assert checked > 3_000


def _configuration(item: dict[str, Any]) -> Configuration | None:
    """A plain 2-d layer with a window of the reference; ``None`` for all others."""
    families = {"Convolution": "conv", "Deconvolution": "deconv", "Pooling": "pool"}
    attributes = item.get("attrs", {})
    if item["type"] not in families or [len(b) for b in item["bottom_shapes"]] != [4]:
        return None
    if item["bottoms"] == item["tops"]:
        return None  # in place: the bottom's shape is no longer what the layer saw
    if len(attributes.get("kernel", ())) != 2 or attributes.get("channel_axis", 1) != 1:
        return None
    batch, channels, height, width = item["bottom_shapes"][0]
    _, out, out_height, out_width = item["top_shapes"][0]
    pairs = {
        f"{name}_{axis}": attributes[name][index]
        for name in ("kernel", "stride", "pad", "dilation")
        if name in attributes
        for index, axis in enumerate(("height", "width"))
    }
    sizes = (batch, channels, height, width, out, out_height, out_width)
    return Configuration(families[item["type"]], *sizes, **pairs, groups=attributes.get("group", 1))
