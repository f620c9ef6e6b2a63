"""Networks written in PyTorch, as people write them: those of our prototxts, and others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn


def export(
    model: Any, path: Path, shape: tuple[int, ...], *, fold: bool = False, batch_axis: bool = False
) -> Path:
    """The model in evaluation mode as ONNX; ``fold`` lets the exporter fold normalisations."""
    mode = torch.onnx.TrainingMode.EVAL if fold else torch.onnx.TrainingMode.PRESERVE
    torch.onnx.export(
        model.eval(),
        (torch.zeros(shape),),
        str(path),
        dynamo=False,
        training=mode,
        do_constant_folding=fold,
        input_names=["data"],
        dynamic_axes={"data": {0: "batch"}} if batch_axis else None,
    )
    return path


def conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> list[Any]:
    pad = kernel // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, pad, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


def alexnet() -> Any:
    """The grouped AlexNet of 2012."""
    relu, pool = nn.ReLU, lambda: nn.MaxPool2d(3, 2)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), relu(), nn.LocalResponseNorm(5), pool(),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), nn.LocalResponseNorm(5), pool(),
        nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), pool(),
        nn.Flatten(),
        nn.Linear(9216, 4096), relu(), nn.Dropout(),
        nn.Linear(4096, 4096), relu(), nn.Dropout(),
        nn.Linear(4096, 1000), nn.Softmax(1),
    )  # fmt: skip


class Bottleneck(nn.Module):
    """A block of the first ResNet-50: the stride is in its first convolution."""

    def __init__(self, inputs: int, width: int, stride: int, project: bool) -> None:
        super().__init__()
        self.short = nn.Sequential(*conv_norm(inputs, 4 * width, 1, stride)) if project else None
        self.long = nn.Sequential(
            *conv_norm(inputs, width, 1, stride), nn.ReLU(inplace=True),
            *conv_norm(width, width, 3), nn.ReLU(inplace=True),
            *conv_norm(width, 4 * width, 1),
        )  # fmt: skip

    def forward(self, x: Any) -> Any:
        short = self.short(x) if self.short is not None else x
        return torch.relu(short + self.long(x))


class ResNet50(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        first = nn.Conv2d(3, 64, 7, 2, 3)  # with a bias, as the published prototxt has it
        stem: list[Any] = [first, nn.BatchNorm2d(64), nn.ReLU(), pool]
        inputs = 64
        for stage, (width, blocks) in enumerate([(64, 3), (128, 4), (256, 6), (512, 3)]):
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                stem.append(Bottleneck(inputs, width, stride, project=not block))
                inputs = 4 * width
        self.features = nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1))
        self.classes = nn.Linear(2048, 1000)

    def forward(self, x: Any) -> Any:
        return torch.softmax(self.classes(torch.flatten(self.features(x), 1)), 1)


class Inverted(nn.Module):
    """An inverted residual of MobileNet v2."""

    def __init__(self, inputs: int, outputs: int, stride: int, expand: int) -> None:
        super().__init__()
        width = inputs * expand
        steps: list[Any] = [*conv_norm(inputs, width, 1), nn.ReLU6()] if expand > 1 else []
        steps += [*conv_norm(width, width, 3, stride, groups=width), nn.ReLU6()]
        self.steps = nn.Sequential(*steps, *conv_norm(width, outputs, 1))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Any) -> Any:
        return x + self.steps(x) if self.residual else self.steps(x)


class MobileNetV2(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        steps: list[Any] = [*conv_norm(3, 32, 3, 2), nn.ReLU6()]
        inputs = 32
        for expand, outputs, count, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
            (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for block in range(count):
                steps.append(Inverted(inputs, outputs, 1 if block else stride, expand))
                inputs = outputs
        self.features = nn.Sequential(*steps, *conv_norm(320, 1280, 1), nn.ReLU6())
        self.classes = nn.Linear(1280, 1000)

    def forward(self, x: Any) -> Any:
        return torch.softmax(self.classes(self.features(x).mean([2, 3])), 1)


class SqueezeExcite(nn.Module):
    """A block as in timm: depthwise convolution, SiLU, channel gates from a global mean."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(*conv_norm(width, width, 3, groups=width), nn.SiLU())
        self.reduce, self.expand = nn.Conv2d(width, 8, 1), nn.Conv2d(8, width, 1)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        gate = x.mean((2, 3), keepdim=True)
        gate = torch.sigmoid(self.expand(nn.functional.silu(self.reduce(gate))))
        return x * gate


class Attention(nn.Module):
    """A transformer block as in timm's vision transformers, over 16 patches."""

    def __init__(self, width: int = 32, heads: int = 4) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, width, 8, 8)
        self.place = nn.Parameter(torch.randn(1, 16, width))
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 64), nn.GELU(), nn.Linear(64, width))
        self.heads = heads

    def forward(self, x: Any) -> Any:
        x = self.patch(x).flatten(2).transpose(1, 2) + self.place
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        scores = torch.softmax(q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5, -1)
        x = x + self.out((scores @ v).transpose(1, 2).reshape(n, t, c))
        return self.mlp(x)


class Fixed(nn.Module):
    """A view whose target keeps the batch of the example in the model."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.classes = nn.Conv2d(1, 4, 3), nn.Linear(4 * 36, 10)

    def forward(self, x: Any) -> Any:
        x = self.conv(x)
        return self.classes(x.view(int(x.shape[0]), -1))
