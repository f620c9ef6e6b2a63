"""Networks in the form in which torchvision runs them, at any square input size.

Whole networks of GPUs are mostly measured with torchvision. Its forms differ from Caffe's in what
counts: a stride in the 3 x 3 of a bottleneck, pooling that rounds down, batch normalisation in
GoogLeNet, no biases before it, class scores instead of a softmax. Layers have torchvision's names.
"""

from __future__ import annotations

from prototxt_generator.builder import Net, Pair, image

RESNETS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}


def _net(title: str, size: int, *remarks: str) -> Net:
    comment = [f"{title} in torchvision's form, {size} x {size}.", *remarks]
    return Net(f"{title}, torchvision", "\n".join(comment), image(size))


def _norm(net: Net, x: str, name: str, *, own_top: bool = False) -> str:
    """PyTorch's BatchNorm2d: normalisation with scale and shift in one layer, SegNet's BN.

    As BVLC's pair of BatchNorm and Scale it would count as two layers, and two launches.
    """
    return net.add("BN", name, x, name if own_top else x, bn_param={"bn_mode": "INFERENCE"})


def alexnet(size: int) -> Net:
    """AlexNet in one tower; its pooling to 6 x 6 adapts to the size of the maps."""
    remarks = []
    maps = _after_pools(size)
    if maps != 6:
        remarks = [
            f"Average pooling to 6 x 6 from {maps} x {maps}: PyTorch's windows are uneven; here "
            "windows of",
            "one size stand for them.",
        ]
    net = _net("AlexNet", size, *remarks)
    x = net.relu(net.conv("data", "features.0", 64, 11, stride=4, pad=2), "features.1")
    x = net.pool(x, "features.2", "MAX", 3, 2, floor=True)
    x = net.relu(net.conv(x, "features.3", 192, 5, pad=2), "features.4")
    x = net.pool(x, "features.5", "MAX", 3, 2, floor=True)
    for index, width in ((6, 384), (8, 256), (10, 256)):
        x = net.relu(net.conv(x, f"features.{index}", width, 3, pad=1), f"features.{index + 1}")
    x = net.pool(x, "features.12", "MAX", 3, 2, floor=True)
    if maps != 6:
        x = net.pool(x, "avgpool", "AVE", maps - 5, floor=True)
    for index in (1, 4):
        x = net.dropout(x, f"classifier.{index - 1}")
        x = net.relu(net.fc(x, f"classifier.{index}", 4096), f"classifier.{index + 1}")
    net.fc(x, "classifier.6", 1000)
    return net


def _after_pools(size: int) -> int:
    """Side of AlexNet's last maps: a convolution 11/4 with a border of 2, three poolings 3/2."""
    side = (size + 4 - 11) // 4 + 1
    for _ in range(3):
        side = (side - 3) // 2 + 1
    return side


def vgg16(size: int) -> Net:
    """VGG-16 without batch normalisation, for sizes that 32 divides into 7 x 7 maps."""
    net = _net("VGG-16", size)
    x, index = "data", 0
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            x = net.conv(x, f"features.{index}", width, 3, pad=1)
            x = net.relu(x, f"features.{index + 1}")
            index += 2
        x = net.pool(x, f"features.{index}", "MAX", 2, 2, floor=True)
        index += 1
    for index in (0, 3):
        x = net.relu(net.fc(x, f"classifier.{index}", 4096), f"classifier.{index + 1}")
        x = net.dropout(x, f"classifier.{index + 2}")
    net.fc(x, "classifier.6", 1000)
    return net


def resnet(depth: int, size: int) -> Net:
    """ResNet; from 50 on with bottlenecks whose stride is in the 3 x 3."""
    net = _net(f"ResNet-{depth}", size)
    x = net.conv("data", "conv1", 64, 7, stride=2, pad=3, bias=False)
    x = net.relu(_norm(net, x, "bn1"), "relu")
    x = net.pool(x, "maxpool", "MAX", 3, 2, pad=1, floor=True)
    expansion = 1 if depth < 50 else 4
    channels = 64
    for stage, blocks in enumerate(RESNETS[depth], start=1):
        width = 32 << stage
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            steps: tuple[tuple[int, int, int], ...] = ((width, 3, stride), (width, 3, 1))
            if depth >= 50:
                steps = ((width, 1, 1), (width, 3, stride), (4 * width, 1, 1))
            x = _residual(net, x, at, steps, project=stride > 1 or channels != expansion * width)
            channels = expansion * width
    net.fc(net.pool(x, "avgpool", "AVE"), "fc", 1000)
    return net


def _residual(
    net: Net, x: str, at: str, steps: tuple[tuple[int, int, int], ...], *, project: bool
) -> str:
    """A block of convolutions (width, kernel, stride), and the sum with its input."""
    y = x
    for index, (width, kernel, stride) in enumerate(steps, start=1):
        y = net.conv(
            y, f"{at}.conv{index}", width, kernel, stride=stride, pad=kernel // 2, bias=False
        )
        y = _norm(net, y, f"{at}.bn{index}")
        if index < len(steps):
            y = net.relu(y, f"{at}.relu{index}")
    if project:
        stride = max(stride for _, _, stride in steps)
        x = net.conv(x, f"{at}.downsample.0", steps[-1][0], 1, stride=stride, bias=False)
        x = _norm(net, x, f"{at}.downsample.1")
    return net.relu(net.sum((y, x), f"{at}.sum"), f"{at}.relu")


def densenet121(size: int) -> Net:
    """DenseNet-121; every layer concatenates all maps of its block again."""
    net = _net("DenseNet-121", size)
    x = net.conv("data", "conv0", 64, 7, stride=2, pad=3, bias=False)
    x = net.relu(_norm(net, x, "norm0"), "relu0")
    x = net.pool(x, "pool0", "MAX", 3, 2, pad=1, floor=True)
    channels = 64
    for block, depth in enumerate((6, 12, 24, 16), start=1):
        maps = [x]
        for index in range(1, depth + 1):
            at = f"denseblock{block}.denselayer{index}"
            x = net.concat(maps, f"{at}.cat") if len(maps) > 1 else maps[0]
            y = net.relu(_norm(net, x, f"{at}.norm1", own_top=True), f"{at}.relu1")
            y = net.conv(y, f"{at}.conv1", 128, 1, bias=False)
            y = net.relu(_norm(net, y, f"{at}.norm2"), f"{at}.relu2")
            maps.append(net.conv(y, f"{at}.conv2", 32, 3, pad=1, bias=False))
        x = net.concat(maps, f"denseblock{block}.cat")
        channels += 32 * depth
        if block < 4:
            channels //= 2
            at = f"transition{block}"
            x = net.relu(_norm(net, x, f"{at}.norm"), f"{at}.relu")
            x = net.conv(x, f"{at}.conv", channels, 1, bias=False)
            x = net.pool(x, f"{at}.pool", "AVE", 2, 2, floor=True)
    x = net.relu(_norm(net, x, "norm5"), "relu5")
    net.fc(net.pool(x, "avgpool", "AVE"), "classifier", 1000)
    return net


def _unit(
    net: Net,
    x: str,
    name: str,
    width: int,
    kernel: Pair,
    *,
    stride: int = 1,
    pad: Pair = 0,
) -> str:
    """Convolution without a bias, batch normalisation, rectifier."""
    x = net.conv(x, f"{name}.conv", width, kernel, stride=stride, pad=pad, bias=False)
    return net.relu(_norm(net, x, f"{name}.bn"), f"{name}.relu")


def googlenet(size: int) -> Net:
    """GoogLeNet with batch normalisation, 3 x 3 in place of 5 x 5, no auxiliary classifiers."""
    net = _net(
        "GoogLeNet",
        size,
        "With batch normalisation, without local response normalisation; the branches of 5 x 5",
        "have 3 x 3 convolutions.",
    )
    x = _unit(net, "data", "conv1", 64, 7, stride=2, pad=3)
    x = net.pool(x, "maxpool1", "MAX", 3, 2)
    x = _unit(net, _unit(net, x, "conv2", 64, 1), "conv3", 192, 3, pad=1)
    x = net.pool(x, "maxpool2", "MAX", 3, 2)
    # 1x1, 3x3 reduce, 3x3, "5x5" reduce, "5x5", projection after pooling
    modules = {
        "3a": (64, 96, 128, 16, 32, 32),
        "3b": (128, 128, 192, 32, 96, 64),
        "4a": (192, 96, 208, 16, 48, 64),
        "4b": (160, 112, 224, 24, 64, 64),
        "4c": (128, 128, 256, 24, 64, 64),
        "4d": (112, 144, 288, 32, 64, 64),
        "4e": (256, 160, 320, 32, 128, 128),
        "5a": (256, 160, 320, 32, 128, 128),
        "5b": (384, 192, 384, 48, 128, 128),
    }
    for module, (one, reduce3, three, reduce5, five, projection) in modules.items():
        at = f"inception{module}"
        a = _unit(net, x, f"{at}.branch1", one, 1)
        b = _unit(net, x, f"{at}.branch2.0", reduce3, 1)
        b = _unit(net, b, f"{at}.branch2.1", three, 3, pad=1)
        c = _unit(net, x, f"{at}.branch3.0", reduce5, 1)
        c = _unit(net, c, f"{at}.branch3.1", five, 3, pad=1)
        d = net.pool(x, f"{at}.branch4.0", "MAX", 3, pad=1)
        d = _unit(net, d, f"{at}.branch4.1", projection, 1)
        x = net.concat((a, b, c, d), f"{at}.cat")
        if module == "3b":
            x = net.pool(x, "maxpool3", "MAX", 3, 2)
        if module == "4e":
            x = net.pool(x, "maxpool4", "MAX", 2, 2)
    x = net.dropout(net.pool(x, "avgpool", "AVE"), "dropout", 0.2)
    net.fc(x, "fc", 1000)
    return net


def inception_v3(size: int) -> Net:
    """Inception v3 without the auxiliary classifier of training."""
    net = _net("Inception v3", size)
    x = _unit(net, "data", "Conv2d_1a_3x3", 32, 3, stride=2)
    x = _unit(net, x, "Conv2d_2a_3x3", 32, 3)
    x = _unit(net, x, "Conv2d_2b_3x3", 64, 3, pad=1)
    x = net.pool(x, "maxpool1", "MAX", 3, 2, floor=True)
    x = _unit(net, _unit(net, x, "Conv2d_3b_1x1", 80, 1), "Conv2d_4a_3x3", 192, 3)
    x = net.pool(x, "maxpool2", "MAX", 3, 2, floor=True)
    for letter, projection in (("b", 32), ("c", 64), ("d", 64)):
        x = _inception_a(net, x, f"Mixed_5{letter}", projection)
    x = _inception_b(net, x, "Mixed_6a")
    for letter, width in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
        x = _inception_c(net, x, f"Mixed_6{letter}", width)
    x = _inception_d(net, x, "Mixed_7a")
    for letter in "bc":
        x = _inception_e(net, x, f"Mixed_7{letter}")
    net.fc(net.dropout(net.pool(x, "avgpool", "AVE"), "dropout"), "fc", 1000)
    return net


def _pooled(net: Net, x: str, at: str, width: int) -> str:
    x = net.pool(x, f"{at}.pool", "AVE", 3, pad=1, floor=True)
    return _unit(net, x, f"{at}.branch_pool", width, 1)


def _inception_a(net: Net, x: str, at: str, projection: int) -> str:
    a = _unit(net, x, f"{at}.branch1x1", 64, 1)
    b = _unit(net, _unit(net, x, f"{at}.branch5x5_1", 48, 1), f"{at}.branch5x5_2", 64, 5, pad=2)
    c = _unit(net, x, f"{at}.branch3x3dbl_1", 64, 1)
    for index in (2, 3):
        c = _unit(net, c, f"{at}.branch3x3dbl_{index}", 96, 3, pad=1)
    return net.concat((a, b, c, _pooled(net, x, at, projection)), f"{at}.cat")


def _inception_b(net: Net, x: str, at: str) -> str:
    a = _unit(net, x, f"{at}.branch3x3", 384, 3, stride=2)
    b = _unit(net, x, f"{at}.branch3x3dbl_1", 64, 1)
    b = _unit(net, b, f"{at}.branch3x3dbl_2", 96, 3, pad=1)
    b = _unit(net, b, f"{at}.branch3x3dbl_3", 96, 3, stride=2)
    return net.concat((a, b, net.pool(x, f"{at}.pool", "MAX", 3, 2, floor=True)), f"{at}.cat")


_ROW: tuple[Pair, Pair] = ((1, 7), (0, 3))
_COLUMN: tuple[Pair, Pair] = ((7, 1), (3, 0))


def _inception_c(net: Net, x: str, at: str, width: int) -> str:
    a = _unit(net, x, f"{at}.branch1x1", 192, 1)
    b = _unit(net, x, f"{at}.branch7x7_1", width, 1)
    b = _unit(net, b, f"{at}.branch7x7_2", width, _ROW[0], pad=_ROW[1])
    b = _unit(net, b, f"{at}.branch7x7_3", 192, _COLUMN[0], pad=_COLUMN[1])
    c = _unit(net, x, f"{at}.branch7x7dbl_1", width, 1)
    steps = ((width, _COLUMN), (width, _ROW), (width, _COLUMN), (192, _ROW))
    for index, (out, (kernel, pad)) in enumerate(steps, start=2):
        c = _unit(net, c, f"{at}.branch7x7dbl_{index}", out, kernel, pad=pad)
    return net.concat((a, b, c, _pooled(net, x, at, 192)), f"{at}.cat")


def _inception_d(net: Net, x: str, at: str) -> str:
    a = _unit(net, x, f"{at}.branch3x3_1", 192, 1)
    a = _unit(net, a, f"{at}.branch3x3_2", 320, 3, stride=2)
    b = _unit(net, x, f"{at}.branch7x7x3_1", 192, 1)
    b = _unit(net, b, f"{at}.branch7x7x3_2", 192, _ROW[0], pad=_ROW[1])
    b = _unit(net, b, f"{at}.branch7x7x3_3", 192, _COLUMN[0], pad=_COLUMN[1])
    b = _unit(net, b, f"{at}.branch7x7x3_4", 192, 3, stride=2)
    return net.concat((a, b, net.pool(x, f"{at}.pool", "MAX", 3, 2, floor=True)), f"{at}.cat")


def _inception_e(net: Net, x: str, at: str) -> str:
    a = _unit(net, x, f"{at}.branch1x1", 320, 1)
    b = _unit(net, x, f"{at}.branch3x3_1", 384, 1)
    c = _unit(net, x, f"{at}.branch3x3dbl_1", 448, 1)
    c = _unit(net, c, f"{at}.branch3x3dbl_2", 384, 3, pad=1)
    towers = [a]
    for tower, name in ((b, "branch3x3_2"), (c, "branch3x3dbl_3")):
        towers.append(_unit(net, tower, f"{at}.{name}a", 384, (1, 3), pad=(0, 1)))
        towers.append(_unit(net, tower, f"{at}.{name}b", 384, (3, 1), pad=(1, 0)))
    return net.concat((*towers, _pooled(net, x, at, 192)), f"{at}.cat")


def squeezenet1_1(size: int) -> Net:
    """SqueezeNet 1.1; pooling rounds up, as in Caffe."""
    net = _net("SqueezeNet 1.1", size)
    x = net.relu(net.conv("data", "features.0", 64, 3, stride=2), "features.1")
    x = net.pool(x, "features.2", "MAX", 3, 2)
    modules = {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
    for index, squeeze in modules.items():
        if index in (6, 9):
            x = net.pool(x, f"features.{index - 1}", "MAX", 3, 2)
        at = f"features.{index}"
        x = net.relu(net.conv(x, f"{at}.squeeze", squeeze, 1), f"{at}.squeeze_activation")
        one = net.conv(x, f"{at}.expand1x1", 4 * squeeze, 1)
        three = net.conv(x, f"{at}.expand3x3", 4 * squeeze, 3, pad=1)
        x = net.concat(
            (
                net.relu(one, f"{at}.expand1x1_activation"),
                net.relu(three, f"{at}.expand3x3_activation"),
            ),
            f"{at}.cat",
        )
    x = net.conv(net.dropout(x, "classifier.0"), "classifier.1", 1000, 1)
    net.pool(net.relu(x, "classifier.2"), "classifier.3", "AVE")
    return net


def mobilenet_v2(size: int) -> Net:
    """MobileNet v2, width 1; ReLU in place of ReLU6, which touches the same elements."""
    net = _net("MobileNet v2", size, "ReLU in place of ReLU6; it touches the same elements.")
    x = net.conv("data", "features.0.0", 32, 3, stride=2, pad=1, bias=False)
    x = net.relu(_norm(net, x, "features.0.1"), "features.0.2")
    channels, index = 32, 0
    # expansion, width, repeats, stride of the first: table 2 of the paper
    stages = (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    )
    for expansion, width, repeats, first_stride in stages:
        for repeat in range(repeats):
            index += 1
            at, stride = f"features.{index}.conv", first_stride if repeat == 0 else 1
            hidden, y = expansion * channels, x
            if expansion > 1:
                y = net.conv(x, f"{at}.expand", hidden, 1, bias=False)
                y = net.relu(_norm(net, y, f"{at}.expand_bn"), f"{at}.expand_relu")
            y = net.conv(
                y, f"{at}.depthwise", hidden, 3, stride=stride, pad=1, group=hidden, bias=False
            )
            y = net.relu(_norm(net, y, f"{at}.depthwise_bn"), f"{at}.depthwise_relu")
            y = _norm(net, net.conv(y, f"{at}.project", width, 1, bias=False), f"{at}.project_bn")
            keeps = stride == 1 and width == channels
            x, channels = net.sum((x, y), f"{at}.sum") if keeps else y, width
    x = net.conv(x, "features.18.0", 1280, 1, bias=False)
    x = net.relu(_norm(net, x, "features.18.1"), "features.18.2")
    x = net.dropout(net.pool(x, "avgpool", "AVE"), "classifier.0", 0.2)
    net.fc(x, "classifier.1", 1000)
    return net
