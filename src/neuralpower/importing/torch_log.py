"""Logs of PyTorch modules: a module as PyTorch prints it, its input's shape, and figures.

A line is ``Conv2d(3, 64, kernel_size=(7, 7), ...) (32, 3, 224, 224) 0.00091 ...``: the figures
after the shape are named by the recipe. Whole networks have their name on the line before:
``resnet18 (32, 3, 224, 224)``, then ``ResNet (32, 3, 224, 224) 0.0113 ...``. Other lines (progress,
warnings) are passed by. What is printed is read by its grammar and never evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from neuralpower.core.configuration import Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text
from neuralpower.importing.formulas import Formula
from neuralpower.importing.rows import Pass, Visit, convolved

_SHAPE = r"\((\d+(?:, \d+)*),?\)"
_LAYER = re.compile(rf"([A-Z]\w*)\((.*)\) {_SHAPE} (\S.*)")
_NAME = re.compile(rf"([a-z]\w*) {_SHAPE}")
_NETWORK = re.compile(rf"([A-Z]\w*) {_SHAPE} (\S.*)")
_ARGUMENT = re.compile(r"(?:(\w+)=)?(\([^()]*\)|[^,()]+)(?:, |$)")

#: A module with its shape and figures has some hundred characters.
_LONGEST_LINE = 10_000

Arguments = dict[str, str]


def read_layers(
    path: str | Path, fields: Sequence[str], columns: Mapping[str, Formula]
) -> Iterator[Visit]:
    """The measured layers of a log, in its order; modules without a family are passed by.

    Raises ``InputError`` with the line for a figure that is none, or a module that cannot be read.
    """
    for number, line in _lines(path):
        found = _LAYER.fullmatch(line.strip())
        if found is None or found[1] not in _MODULES:
            continue
        try:
            sizes = tuple(map(int, found[3].split(", ")))
            configuration = _MODULES[found[1]](_arguments(found[2]), sizes)
            if configuration is None:
                continue
            row = _figures(found[4], fields)
            yield Visit(
                configuration,
                columns["runtime_ms"].value(row),
                columns["power_w"].value(row) if "power_w" in columns else None,
                f"{Path(path).name}:{number}",
            )
        except (ValueError, KeyError) as error:
            what = f"lacks {error}" if isinstance(error, KeyError) else str(error)
            raise InputError(f"module {found[1]}: {what}", path=path, line=number) from None


def read_networks(
    path: str | Path, fields: Sequence[str], columns: Mapping[str, Formula]
) -> Iterator[Pass]:
    """The measured networks of a log; a figure line without a name before it is refused."""
    name, shape = "", ""
    for number, line in _lines(path):
        if found := _NAME.fullmatch(line.strip()):
            name, shape = found[1], found[2]
        elif (found := _NETWORK.fullmatch(line.strip())) and found[1] != "No":
            if found[2] != shape:
                raise InputError(f"{found[1]} has no name before it", path=path, line=number)
            sizes = [int(size) for size in found[2].split(", ")]
            try:
                row = _figures(found[3], fields)
                figures = {key: formula.value(row) for key, formula in columns.items()}
            except ValueError as error:
                raise InputError(f"network {name}: {error}", path=path, line=number) from None
            yield Pass(
                name,
                "x".join(map(str, sizes[1:])),
                sizes[0],
                figures.get("runtime_ms"),
                figures.get("power_w"),
                figures.get("energy_mj"),
                f"{Path(path).name}:{number}",
            )


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines that may be a module's, with their numbers: longer ones are passed by."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if len(line) <= _LONGEST_LINE:
            yield number, line


def _figures(text: str, fields: Sequence[str]) -> dict[str, str]:
    words = text.split()
    if len(words) < len(fields):
        raise ValueError(f"{len(words)} figures where {len(fields)} have names")
    return dict(zip(fields, words, strict=False))


def _arguments(text: str) -> Arguments:
    """Arguments of a printed module by name, or by position (``0``, ``1``) where it has none."""
    found: Arguments = {}
    end = 0
    while end < len(text) and (match := _ARGUMENT.match(text, end)) is not None:
        found[match[1] or str(len(found))] = match[2]
        end = match.end()
    if end != len(text):
        raise ValueError(f"{text[end:]!r} cannot be read")
    return found


def _pair(arguments: Arguments, name: str, default: int | None = None) -> tuple[int, int]:
    """Two sizes (height, width) of an argument that is printed as one number or as a pair."""
    if name not in arguments and default is not None:
        return default, default
    words = arguments[name].strip("()").split(",")
    sizes = [int(word) for word in words if word.strip()]
    if len(sizes) not in (1, 2):
        raise ValueError(f"{name}={arguments[name]} is no size")
    return sizes[0], sizes[-1]


def _image(sizes: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Batch, channels, height and width; a matrix is a map of 1 x 1."""
    if len(sizes) == 2:
        return (*sizes, 1, 1)
    if len(sizes) != 4:
        raise ValueError(f"an input of {len(sizes)} sizes")
    return sizes[0], sizes[1], sizes[2], sizes[3]


def _conv(arguments: Arguments, sizes: tuple[int, ...]) -> Configuration:
    batch, channels, height, width = _image(sizes)
    kernel, stride = _pair(arguments, "kernel_size"), _pair(arguments, "stride", 1)
    pad, dilation = _pair(arguments, "padding", 0), _pair(arguments, "dilation", 1)
    if int(arguments["0"]) != channels:
        raise ValueError(f"{arguments['0']} channels on an input of {channels}")
    return Configuration(
        "conv",
        *(batch, channels, height, width, int(arguments["1"])),
        convolved(height, kernel[0], stride[0], pad[0], dilation[0]),
        convolved(width, kernel[1], stride[1], pad[1], dilation[1]),
        *(*kernel, *stride, *pad, *dilation),
        groups=int(arguments.get("groups", "1")),
        bias=int(arguments.get("bias", "True") == "True"),
    )


def _same(family: str) -> Callable[[Arguments, tuple[int, ...]], Configuration | None]:
    """A layer whose output has its input's shape."""

    def read(arguments: Arguments, sizes: tuple[int, ...]) -> Configuration:
        batch, channels, height, width = _image(sizes)
        return Configuration(family, batch, channels, height, width, channels, height, width)

    return read


def _linear(arguments: Arguments, sizes: tuple[int, ...]) -> Configuration:
    """An inner product over the last size: every other size counts into the batch."""
    rows = 1
    for size in sizes[:-1]:
        rows *= size
    wide, out = int(arguments["in_features"]), int(arguments["out_features"])
    if sizes[-1] != wide:
        raise ValueError(f"{wide} features on an input of {sizes[-1]}")
    bias = int(arguments.get("bias", "True") == "True")
    return Configuration("fc", rows, wide, 1, 1, out, 1, 1, bias=bias)


def _adaptive(arguments: Arguments, sizes: tuple[int, ...]) -> Configuration | None:
    """Global average pooling; other output sizes have uneven windows and are passed by."""
    batch, channels, height, width = _image(sizes)
    if _pair(arguments, "output_size") != (1, 1):
        return None
    window = (height, width, height, width)  # kernel and stride
    return Configuration(
        "pool", batch, channels, height, width, channels, 1, 1, *window, pool_method="ave"
    )


def _pool(method: str) -> Callable[[Arguments, tuple[int, ...]], Configuration | None]:
    def read(arguments: Arguments, sizes: tuple[int, ...]) -> Configuration:
        batch, channels, height, width = _image(sizes)
        kernel = _pair(arguments, "kernel_size")
        stride, pad = _pair(arguments, "stride"), _pair(arguments, "padding", 0)
        if arguments.get("ceil_mode", "False") != "False":
            raise ValueError("ceil_mode is not read")
        return Configuration(
            "pool",
            *(batch, channels, height, width, channels),
            convolved(height, kernel[0], stride[0], pad[0]),
            convolved(width, kernel[1], stride[1], pad[1]),
            *(*kernel, *stride, *pad),
            pool_method=method,
        )

    return read


_MODULES: Mapping[str, Callable[[Arguments, tuple[int, ...]], Configuration | None]] = {
    "Conv2d": _conv,
    "BatchNorm2d": _same("batchnorm"),
    "ReLU": _same("relu"),
    "Sigmoid": _same("sigmoid"),
    "Tanh": _same("tanh"),
    "Linear": _linear,
    "AdaptiveAvgPool2d": _adaptive,
    "AvgPool2d": _pool("ave"),
    "MaxPool2d": _pool("max"),
}
