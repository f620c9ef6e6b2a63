"""Residual networks: ResNet, ResNeXt, SE-ResNet, and DenseNet (which concatenates instead)."""

from __future__ import annotations

from prototxt_generator.builder import Net, image

STAGES = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


def resnet(depth: int) -> Net:
    """ResNet of He et al.; from 50 on with bottlenecks whose stride is in the first 1 x 1."""
    comment = f"ResNet-{depth}. A stage's stride is in the first convolution of its branches."
    if depth == 50:
        comment += "\nThe authors' file gives conv1 a bias in this one network; so does this one."
    net = Net(f"ResNet-{depth}", comment, image(224), input_layer="input")
    x = _stem(net, bias=depth == 50)
    for stage, (width, depth_of_stage) in enumerate(
        zip((64, 128, 256, 512), STAGES[depth], strict=True), start=2
    ):
        for index in range(depth_of_stage):
            name = f"{stage}{_letter(stage, index, depth)}"
            stride = 2 if stage > 2 and index == 0 else 1
            if depth < 50:
                x = _basic(net, x, name, width, stride)
            else:
                x = _bottleneck(net, x, name, width, stride, project=index == 0)
    return _head(net, x)


def resnext50() -> Net:
    """ResNeXt-50 (32 x 4d): the 3 x 3 has 32 groups and carries the stride."""
    comment = "ResNeXt-50 (32 x 4d). The stride of a stage is in its first grouped 3 x 3."
    net = Net("ResNeXt-50_32x4d", comment, image(224))
    x = _stem(net)
    for stage, depth in enumerate(STAGES[50], start=2):
        width = 64 << (stage - 1)
        for index in range(depth):
            name, stride = f"{stage}{'abcdef'[index]}", 2 if stage > 2 and index == 0 else 1
            identity = x
            if index == 0:
                identity = _conv_norm(net, x, f"res{name}_branch1", 2 * width, 1, stride=stride)
            branch = f"res{name}_branch2"
            y = _conv_norm(net, x, f"{branch}a", width, 1, relu=True)
            y = _conv_norm(net, y, f"{branch}b", width, 3, stride=stride, group=32, relu=True)
            y = _conv_norm(net, y, f"{branch}c", 2 * width, 1)
            x = net.relu(net.sum((identity, y), f"res{name}"), f"res{name}_relu")
    return _head(net, x)


def senet50() -> Net:
    """SE-ResNet-50: ResNet-50 whose branches are rescaled by squeeze and excitation."""
    comment = """
SE-ResNet-50. The channel weights multiply the branch through a Scale layer with two bottoms
(BVLC Caffe has it), where the authors' file fuses product and sum in their own Axpy layer."""
    net = Net("SE-ResNet-50", comment, image(224))
    x = _stem(net)
    for stage, depth in enumerate(STAGES[50], start=2):
        width = 32 << (stage - 1)
        for index in range(depth):
            name, stride = f"{stage}{'abcdef'[index]}", 2 if stage > 2 and index == 0 else 1
            x = _bottleneck(net, x, name, width, stride, project=index == 0, squeeze=16)
    return _head(net, x)


def _letter(stage: int, index: int, depth: int) -> str:
    """Names as the authors give them: a, b, c, ... but a, b1, b2, ... in long stages."""
    if depth > 50 and stage in (3, 4):
        return "a" if index == 0 else f"b{index}"
    return "abcdef"[index]


def _stem(net: Net, bias: bool = False) -> str:
    x = net.conv("data", "conv1", 64, 7, stride=2, pad=3, bias=bias)
    x = net.relu(net.norm(x, "bn_conv1", "scale_conv1"), "conv1_relu")
    return net.pool(x, "pool1", "MAX", 3, 2)


def _head(net: Net, x: str) -> Net:
    net.softmax(net.fc(net.pool(x, "pool5", "AVE", 7), "fc1000", 1000))
    return net


def _conv_norm(
    net: Net,
    x: str,
    name: str,
    width: int,
    kernel: int,
    *,
    stride: int = 1,
    group: int = 1,
    relu: bool = False,
) -> str:
    x = net.conv(x, name, width, kernel, stride=stride, pad=kernel // 2, group=group, bias=False)
    place = name.removeprefix("res")
    x = net.norm(x, f"bn{place}", f"scale{place}")
    return net.relu(x, f"{name}_relu") if relu else x


def _bottleneck(
    net: Net, x: str, name: str, width: int, stride: int, *, project: bool, squeeze: int = 0
) -> str:
    identity = x
    if project:
        identity = _conv_norm(net, x, f"res{name}_branch1", 4 * width, 1, stride=stride)
    branch = f"res{name}_branch2"
    y = _conv_norm(net, x, f"{branch}a", width, 1, stride=stride, relu=True)
    y = _conv_norm(net, y, f"{branch}b", width, 3, relu=True)
    y = _conv_norm(net, y, f"{branch}c", 4 * width, 1)
    if squeeze:
        y = _excite(net, y, f"res{name}", 4 * width, squeeze)
    return net.relu(net.sum((identity, y), f"res{name}"), f"res{name}_relu")


def _excite(net: Net, x: str, name: str, width: int, ratio: int) -> str:
    weights = net.pool(x, f"{name}_squeeze", "AVE")
    weights = net.relu(net.fc(weights, f"{name}_down", width // ratio), f"{name}_down_relu")
    weights = net.fc(weights, f"{name}_up", width)
    weights = net.add("Sigmoid", f"{name}_gate", weights, weights)
    return net.add("Scale", f"{name}_excite", (x, weights), scale_param={"axis": 0})


def _basic(net: Net, x: str, name: str, width: int, stride: int) -> str:
    identity = x
    if stride == 2:
        identity = _conv_norm(net, x, f"res{name}_branch1", width, 1, stride=2)
    y = _conv_norm(net, x, f"res{name}_branch2a", width, 3, stride=stride, relu=True)
    y = _conv_norm(net, y, f"res{name}_branch2b", width, 3)
    return net.relu(net.sum((identity, y), f"res{name}"), f"res{name}_relu")


def densenet121() -> Net:
    """DenseNet-121: growth 32, bottlenecks of 128, transitions that halve the channels."""
    growth = 32
    net = Net("DenseNet-121", "DenseNet-121 (growth 32, compression 0.5).", image(224))
    x = net.conv("data", "conv1", 64, 7, stride=2, pad=3, bias=False)
    x = net.relu(net.norm(x, "conv1_bn", "conv1_scale"), "conv1_relu")
    x = net.pool(x, "pool1", "MAX", 3, 2)
    channels = 64
    for block, depth in enumerate((6, 12, 24, 16), start=2):
        for index in range(1, depth + 1):
            name = f"conv{block}_{index}"
            y = _norm_conv(net, x, f"{name}_1x1", 4 * growth, 1)
            y = _norm_conv(net, y, f"{name}_3x3", growth, 3)
            x = net.concat((x, y), f"concat_{block}_{index}")
        channels += depth * growth
        if block < 5:
            channels //= 2
            x = _norm_conv(net, x, f"conv{block}_transition", channels, 1)
            x = net.pool(x, f"pool{block}", "AVE", 2, 2)
    x = net.relu(net.norm(x, "conv5_bn", "conv5_scale", top="conv5_bn"), "conv5_relu")
    x = net.pool(x, "pool5", "AVE")
    net.softmax(net.fc(x, "fc6", 1000))
    return net


def _norm_conv(net: Net, x: str, name: str, width: int, kernel: int) -> str:
    """Pre-activation: the bottom is read by others too, so the pair has its own top."""
    x = net.relu(net.norm(x, f"{name}_bn", f"{name}_scale", top=f"{name}_bn"), f"{name}_relu")
    return net.conv(x, name, width, kernel, pad=kernel // 2, bias=False)
