"""Writes a network in Caffe's text format (V2 ``layer``, deploy form), one call per layer.

Every method takes the bottom's name first and returns the top's, so a network reads as a chain.
Sizes that vary with direction are given as (height, width).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

WIDTH = 100

Pair = int | tuple[int, int]


class Net:
    """A network under construction: a title, a comment, and its layers as text."""

    def __init__(
        self, title: str, comment: str, inputs: Mapping[str, Sequence[int]], input_layer: str = ""
    ) -> None:
        self._lines = [
            *(f"# {line}".rstrip() for line in comment.strip().splitlines()),
            "# Written by tools/generate_prototxts.py: change it there.",
            f'name: "{title}"',
        ]
        for blob, shape in inputs.items():
            param = {"shape": {"dim": list(shape)}}
            self.add("Input", input_layer or blob, (), blob, input_param=param)

    def text(self) -> str:
        """The whole file."""
        return "\n".join(self._lines) + "\n"

    def add(
        self,
        kind: str,
        name: str,
        bottoms: str | Sequence[str],
        top: str | None = None,
        **params: dict[str, Any],
    ) -> str:
        """Append a layer; the top has the layer's name unless given. Returns the top."""
        bottoms = (bottoms,) if isinstance(bottoms, str) else bottoms
        top = name if top is None else top
        head = f'name: "{name}" type: "{kind}"'
        blobs = " ".join([*(f'bottom: "{bottom}"' for bottom in bottoms), f'top: "{top}"'])
        body = [head, blobs, *(_field(key, value) for key, value in params.items() if value)]
        line = f"layer {{ {' '.join(body)} }}"
        if len(line) <= WIDTH:
            self._lines.append(line)
        else:
            self._lines += ["layer {", *(f"  {part}" for part in body), "}"]
        return top

    def conv(
        self,
        bottom: str,
        name: str,
        num_output: int,
        kernel: Pair,
        *,
        stride: int = 1,
        pad: Pair = 0,
        group: int = 1,
        dilation: int = 1,
        bias: bool = True,
        top: str | None = None,
        kind: str = "Convolution",
    ) -> str:
        """A convolution (or ``kind="Deconvolution"``)."""
        param: dict[str, Any] = {"num_output": num_output}
        if not bias:
            param["bias_term"] = False
        if pad != 0:
            param |= _pair("pad", pad)
        param |= _pair("kernel", kernel, "kernel_size")
        if stride != 1:
            param["stride"] = stride
        if group != 1:
            param["group"] = group
        if dilation != 1:
            param["dilation"] = dilation
        return self.add(kind, name, bottom, top, convolution_param=param)

    def pool(
        self,
        bottom: str,
        name: str,
        method: str,
        kernel: int = 0,
        stride: int = 1,
        pad: int = 0,
        *,
        floor: bool = False,
    ) -> str:
        """Pooling, method MAX or AVE; without a kernel over the whole map.

        ``floor`` rounds the output's size down, as PyTorch does and Caffe's master branch can.
        """
        param: dict[str, Any] = {"pool": method}
        if not kernel:
            return self.add("Pooling", name, bottom, pooling_param=param | {"global_pooling": True})
        if pad:
            param["pad"] = pad
        param["kernel_size"] = kernel
        if stride != 1:
            param["stride"] = stride
        if floor:
            param["round_mode"] = "FLOOR"
        return self.add("Pooling", name, bottom, pooling_param=param)

    def fc(self, bottom: str, name: str, num_output: int) -> str:
        """A fully connected layer with a bias."""
        return self.add(
            "InnerProduct", name, bottom, inner_product_param={"num_output": num_output}
        )

    def relu(self, bottom: str, name: str) -> str:
        """A rectifier in place."""
        return self.add("ReLU", name, bottom, bottom)

    def dropout(self, bottom: str, name: str, ratio: float = 0.5) -> str:
        """Dropout in place."""
        return self.add("Dropout", name, bottom, bottom, dropout_param={"dropout_ratio": ratio})

    def lrn(
        self, bottom: str, name: str, size: int, alpha: float, beta: float, within: bool = False
    ) -> str:
        """Local response normalisation across channels, or within each."""
        param: dict[str, Any] = {"local_size": size, "alpha": alpha, "beta": beta}
        if within:
            param["norm_region"] = "WITHIN_CHANNEL"
        return self.add("LRN", name, bottom, lrn_param=param)

    def norm(self, bottom: str, batch_norm: str, scale: str, top: str | None = None) -> str:
        """BVLC's pair for batch normalisation: BatchNorm, then Scale with a bias, in place.

        With ``top`` the pair leaves its bottom as it is, for a blob that others read too.
        """
        top = bottom if top is None else top
        self.add("BatchNorm", batch_norm, bottom, top, batch_norm_param={"use_global_stats": True})
        return self.add("Scale", scale, top, top, scale_param={"bias_term": True})

    def concat(self, bottoms: Sequence[str], name: str) -> str:
        """Bottoms one after the other along the channels."""
        return self.add("Concat", name, bottoms)

    def sum(self, bottoms: Sequence[str], name: str) -> str:
        """The element-wise sum."""
        return self.add("Eltwise", name, bottoms, eltwise_param={"operation": "SUM"})

    def softmax(self, bottom: str, name: str = "prob") -> str:
        """Class probabilities."""
        return self.add("Softmax", name, bottom)


def image(size: int, channels: int = 3) -> dict[str, Sequence[int]]:
    """The usual input: one square image in blob ``data``."""
    return {"data": (1, channels, size, size)}


def _pair(stem: str, value: Pair, square: str = "") -> dict[str, int]:
    if isinstance(value, tuple):
        return {f"{stem}_h": value[0], f"{stem}_w": value[1]}
    return {square or stem: value}


def _field(key: str, value: Any) -> str:
    """One field in text format; a list is repeated, an all-capitals string is an enum's name."""
    if isinstance(value, list):
        return " ".join(_field(key, item) for item in value)
    if isinstance(value, dict):
        return f"{key} {{ {' '.join(_field(name, item) for name, item in value.items())} }}"
    if isinstance(value, bool):
        return f"{key}: {str(value).lower()}"
    if isinstance(value, str) and not value.isupper():
        return f'{key}: "{value}"'
    return f"{key}: {value}"
