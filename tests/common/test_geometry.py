"""Output sizes by hand: rounded down, rounded up and clipped, and what does not fit."""

from __future__ import annotations

import pytest

from neuralpower.core.geometry import conv_size, deconv_size, pool_size


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "expected"),
    [
        (227, 11, 4, 0, 1, 55),
        (8, 3, 2, 1, 1, 4),  # 7 / 2 down, and 1
        (8, 3, 1, 0, 2, 4),  # a window of 5
        (5, 3, 1, 0, 2, 1),
        (4, 3, 1, 0, 2, None),
    ],
)
def test_windows_round_down(
    size: int, kernel: int, stride: int, pad: int, dilation: int, expected: int | None
) -> None:
    assert conv_size(size, kernel, stride, pad, dilation) == expected


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "dilation", "expected"),
    [(4, 4, 2, 1, 1, 8), (1, 3, 1, 0, 2, 5), (1, 3, 1, 1, 1, 1), (1, 2, 1, 1, 1, None)],
)
def test_deconvolution_turns_a_convolution_round(
    size: int, kernel: int, stride: int, pad: int, dilation: int, expected: int | None
) -> None:
    assert deconv_size(size, kernel, stride, pad, dilation) == expected


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "pad", "expected"),
    [
        (55, 3, 2, 0, 27),
        (8, 3, 2, 0, 4),  # 5 / 2 up, and 1
        (7, 2, 2, 1, 4),  # 7 / 2 up, and 1, would start at 8: beyond the image and its border
        (6, 2, 2, 1, 4),  # the fourth starts at 6, within 6 and 1
        (2, 3, 2, 0, 1),  # one clipped place
        (1, 3, 1, 0, None),
        (8, 2, 2, 2, None),
    ],
)
def test_pooling_rounds_up_and_drops_what_starts_beyond(
    size: int, kernel: int, stride: int, pad: int, expected: int | None
) -> None:
    assert pool_size(size, kernel, stride, pad) == expected
