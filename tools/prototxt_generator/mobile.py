"""Networks for phones: MobileNet v1 and v2, ShuffleNet."""

from __future__ import annotations

from prototxt_generator.builder import Net, image


def mobilenet_v1() -> Net:
    """MobileNet v1, width 1: thirteen pairs of depthwise 3 x 3 and pointwise 1 x 1."""
    comment = """
MobileNet v1 (width 1, 224 x 224). Depthwise layers are Convolution with as many groups as
channels, which BVLC Caffe runs; the layers have the names of the widely used Caffe port."""
    net = Net("MobileNet_v1", comment, image(224), input_layer="input")
    x = net.conv("data", "conv1", 32, 3, stride=2, pad=1, bias=False)
    x = net.relu(net.norm(x, "conv1/bn", "conv1/scale"), "relu1")
    channels = 32
    pairs = (
        *(("2_1", 64, 1), ("2_2", 128, 2), ("3_1", 128, 1), ("3_2", 256, 2)),
        *(("4_1", 256, 1), ("4_2", 512, 2), ("5_1", 512, 1), ("5_2", 512, 1)),
        *(("5_3", 512, 1), ("5_4", 512, 1), ("5_5", 512, 1), ("5_6", 1024, 2), ("6", 1024, 1)),
    )
    for place, width, stride in pairs:
        for part, out, kernel in (("dw", channels, 3), ("sep", width, 1)):
            name = f"conv{place}/{part}"
            depthwise = part == "dw"
            x = net.conv(
                x,
                name,
                out,
                kernel,
                stride=stride if depthwise else 1,
                pad=kernel // 2,
                group=channels if depthwise else 1,
                bias=False,
            )
            x = net.relu(net.norm(x, f"{name}/bn", f"{name}/scale"), f"relu{place}/{part}")
        channels = width
    net.softmax(net.conv(net.pool(x, "pool6", "AVE"), "fc7", 1000, 1))
    return net


def mobilenet_v2() -> Net:
    """MobileNet v2, width 1: inverted residuals with linear bottlenecks."""
    comment = """
MobileNet v2 (width 1, 224 x 224). ReLU replaces the paper's ReLU6, which BVLC Caffe lacks;
it touches the same elements."""
    net = Net("MobileNet_v2", comment, image(224))
    x = _unit(net, "data", "conv1", 32, 3, stride=2)
    channels = 32
    # expansion, width, repeats, stride of the first: table 2 of the paper
    stages = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )
    for stage, (expansion, width, repeats, first_stride) in enumerate(stages, start=2):
        for index in range(1, repeats + 1):
            name, stride = f"conv{stage}_{index}", first_stride if index == 1 else 1
            hidden = expansion * channels
            y = x if expansion == 1 else _unit(net, x, f"{name}/expand", hidden, 1)
            y = _unit(net, y, f"{name}/dw", hidden, 3, stride=stride, group=hidden)
            y = _unit(net, y, f"{name}/linear", width, 1, relu=False)
            keeps = stride == 1 and width == channels
            x, channels = net.sum((x, y), f"{name}/sum") if keeps else y, width
    x = net.pool(_unit(net, x, "conv9", 1280, 1), "pool9", "AVE")
    net.softmax(net.fc(x, "fc10", 1000))
    return net


def _unit(
    net: Net,
    x: str,
    name: str,
    width: int,
    kernel: int,
    *,
    stride: int = 1,
    group: int = 1,
    relu: bool = True,
) -> str:
    x = net.conv(x, name, width, kernel, stride=stride, pad=kernel // 2, group=group, bias=False)
    x = net.norm(x, f"{name}/bn", f"{name}/scale")
    return net.relu(x, f"{name}/relu") if relu else x


def shufflenet() -> Net:
    """ShuffleNet 1x with three groups: grouped 1 x 1, channel shuffle, depthwise, grouped 1 x 1."""
    comment = """
ShuffleNet 1x (g = 3). ShuffleChannel is a layer of Caffe's forks: it only moves channels.
The first 1 x 1 of stage 2 is not grouped (the paper, section 3.3), so nothing is shuffled."""
    groups = 3
    net = Net("ShuffleNet_1x_g3", comment, image(224))
    x = net.pool(_unit(net, "data", "conv1", 24, 3, stride=2), "pool1", "MAX", 3, 2)
    channels = 24
    for stage, (width, units) in enumerate(((240, 4), (480, 8), (960, 4)), start=2):
        for index in range(1, units + 1):
            name = f"stage{stage}_{index}"
            grouped = groups if (stage, index) != (2, 1) else 1
            y = _unit(net, x, f"{name}/gconv1", width // 4, 1, group=grouped)
            if grouped > 1:
                param = {"group": groups}
                y = net.add("ShuffleChannel", f"{name}/shuffle", y, shuffle_channel_param=param)
            stride, out = (2, width - channels) if index == 1 else (1, width)
            depthwise = {"stride": stride, "group": width // 4, "relu": False}
            y = _unit(net, y, f"{name}/dw", width // 4, 3, **depthwise)  # type: ignore[arg-type]
            y = _unit(net, y, f"{name}/gconv2", out, 1, group=groups, relu=False)
            if stride == 2:
                x = net.concat((net.pool(x, f"{name}/pool", "AVE", 3, 2), y), f"{name}/concat")
            else:
                x = net.sum((x, y), f"{name}/sum")
            x = net.relu(x, f"{name}/relu")
        channels = width
    net.softmax(net.fc(net.pool(x, "pool5", "AVE"), "fc1000", 1000))
    return net
