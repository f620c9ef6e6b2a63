"""Chains: LeNet, the CIFAR-10 nets, AlexNet and its kin, NIN, OverFeat, VGG, SqueezeNet."""

from __future__ import annotations

from prototxt_generator.builder import Net, image


def lenet() -> Net:
    """Caffe's LeNet: rectifier and 20-50-500 maps in place of the 1998 net's sigmoids."""
    net = Net("LeNet", "LeNet for MNIST as Caffe's tutorial trains it.", image(28, 1))
    x = net.conv("data", "conv1", 20, 5)
    x = net.pool(x, "pool1", "MAX", 2, 2)
    x = net.conv(x, "conv2", 50, 5)
    x = net.pool(x, "pool2", "MAX", 2, 2)
    x = net.relu(net.fc(x, "ip1", 500), "relu1")
    net.softmax(net.fc(x, "ip2", 10))
    return net


def cifar10_full() -> Net:
    """Caffe's CIFAR-10 network with normalisation within channels."""
    net = Net("CIFAR10_full", "Caffe's CIFAR-10 'full' network (after cuda-convnet).", image(32))
    x = net.conv("data", "conv1", 32, 5, pad=2)
    x = net.relu(net.pool(x, "pool1", "MAX", 3, 2), "relu1")
    x = net.lrn(x, "norm1", 3, 5e-05, 0.75, within=True)
    x = net.relu(net.conv(x, "conv2", 32, 5, pad=2), "relu2")
    x = net.lrn(net.pool(x, "pool2", "AVE", 3, 2), "norm2", 3, 5e-05, 0.75, within=True)
    x = net.relu(net.conv(x, "conv3", 64, 5, pad=2), "relu3")
    x = net.pool(x, "pool3", "AVE", 3, 2)
    net.softmax(net.fc(x, "ip1", 10))
    return net


def cifar10_6conv() -> Net:
    """NeuralPower's CIFAR10-6conv: six convolutions, two poolings, no batch normalisation."""
    comment = """
NeuralPower's CIFAR10-6conv: BinaryConnect's stack of six convolutions without its third pooling
and without batch normalisation, hence fc7 sees 512 x 8 x 8. The topology is the one of the
system's published description; it also reproduces the paper's Paleo time (docs/networks.md)."""
    net = Net("CIFAR10_6conv", comment, image(32))
    x = "data"
    for index, width in enumerate((128, 128, 256, 256, 512, 512), start=1):
        x = net.relu(net.conv(x, f"conv{index}", width, 3, pad=1), f"relu{index}")
        if index in (2, 4):
            x = net.pool(x, f"pool{index}", "MAX", 2, 2)
    x = _classifier(net, x, (1024, 1024), first=7)
    net.softmax(net.fc(x, "fc9", 10))
    return net


def binaryconnect_cifar10() -> Net:
    """BinaryConnect's CIFAR-10 network: 2x128C3-MP2-2x256C3-MP2-2x512C3-MP2-2x1024FC-10."""
    comment = """
The CIFAR-10 network of BinaryConnect (Courbariaux et al., 2015), whose weights are binary in
training; here with ordinary arithmetic, which is what Caffe would run."""
    net = Net("BinaryConnect_CIFAR10", comment, image(32))
    x = "data"
    for index, width in enumerate((128, 128, 256, 256, 512, 512), start=1):
        x = net.conv(x, f"conv{index}", width, 3, pad=1)
        if index % 2 == 0:
            x = net.pool(x, f"pool{index}", "MAX", 2, 2)
        x = net.relu(net.norm(x, f"bn{index}", f"scale{index}"), f"relu{index}")
    for index in (7, 8):
        x = net.norm(net.fc(x, f"fc{index}", 1024), f"bn{index}", f"scale{index}")
        x = net.relu(x, f"relu{index}")
    net.norm(net.fc(x, "fc9", 10), "bn9", "scale9")
    return net


def alexnet() -> Net:
    """AlexNet with the two groups of its two GPUs, normalisation before pooling."""
    net = Net("AlexNet", "AlexNet, grouped, as in BVLC's model zoo.", image(227))
    x = net.relu(net.conv("data", "conv1", 96, 11, stride=4), "relu1")
    x = net.pool(net.lrn(x, "norm1", 5, 0.0001, 0.75), "pool1", "MAX", 3, 2)
    x = net.relu(net.conv(x, "conv2", 256, 5, pad=2, group=2), "relu2")
    x = net.pool(net.lrn(x, "norm2", 5, 0.0001, 0.75), "pool2", "MAX", 3, 2)
    return _alexnet_tail(net, x)


def caffenet() -> Net:
    """CaffeNet: AlexNet with pooling before normalisation."""
    net = Net("CaffeNet", "CaffeNet: AlexNet with pooling and normalisation swapped.", image(227))
    x = net.relu(net.conv("data", "conv1", 96, 11, stride=4), "relu1")
    x = net.lrn(net.pool(x, "pool1", "MAX", 3, 2), "norm1", 5, 0.0001, 0.75)
    x = net.relu(net.conv(x, "conv2", 256, 5, pad=2, group=2), "relu2")
    x = net.lrn(net.pool(x, "pool2", "MAX", 3, 2), "norm2", 5, 0.0001, 0.75)
    return _alexnet_tail(net, x)


def _alexnet_tail(net: Net, x: str) -> Net:
    x = net.relu(net.conv(x, "conv3", 384, 3, pad=1), "relu3")
    x = net.relu(net.conv(x, "conv4", 384, 3, pad=1, group=2), "relu4")
    x = net.relu(net.conv(x, "conv5", 256, 3, pad=1, group=2), "relu5")
    x = net.pool(x, "pool5", "MAX", 3, 2)
    net.softmax(net.fc(_classifier(net, x, (4096, 4096)), "fc8", 1000))
    return net


def alexnet_owt(comment: str = "") -> Net:
    """AlexNet in one tower, 64-192-384-256-256, without normalisation."""
    comment = comment or "AlexNet in one tower, from 'One weird trick' (Krizhevsky, 2014)."
    net = Net("AlexNet_OWT", comment, image(224))
    x = net.relu(net.conv("data", "conv1", 64, 11, stride=4, pad=2), "relu1")
    x = net.pool(x, "pool1", "MAX", 3, 2)
    x = net.relu(net.conv(x, "conv2", 192, 5, pad=2), "relu2")
    x = net.pool(x, "pool2", "MAX", 3, 2)
    for index, width in ((3, 384), (4, 256), (5, 256)):
        x = net.relu(net.conv(x, f"conv{index}", width, 3, pad=1), f"relu{index}")
    x = net.pool(x, "pool5", "MAX", 3, 2)
    net.softmax(net.fc(_classifier(net, x, (4096, 4096)), "fc8", 1000))
    return net


def overfeat() -> Net:
    """OverFeat's fast model on one 231 x 231 crop."""
    net = Net("OverFeat_fast", "OverFeat, the fast model, one 231 x 231 crop.", image(231))
    x = net.relu(net.conv("data", "conv1", 96, 11, stride=4), "relu1")
    x = net.pool(x, "pool1", "MAX", 2, 2)
    x = net.relu(net.conv(x, "conv2", 256, 5), "relu2")
    x = net.pool(x, "pool2", "MAX", 2, 2)
    for index, width in ((3, 512), (4, 1024), (5, 1024)):
        x = net.relu(net.conv(x, f"conv{index}", width, 3, pad=1), f"relu{index}")
    x = net.pool(x, "pool5", "MAX", 2, 2)
    net.softmax(net.fc(_classifier(net, x, (3072, 4096)), "fc8", 1000))
    return net


def _classifier(net: Net, x: str, widths: tuple[int, ...], first: int = 6) -> str:
    for index, width in enumerate(widths, start=first):
        x = net.relu(net.fc(x, f"fc{index}", width), f"relu{index}")
        x = net.dropout(x, f"drop{index}")
    return x


def nin() -> Net:
    """Network in Network for ImageNet: each convolution with two 1 x 1 ('cccp') after it."""
    comment = """
Network in Network for ImageNet, 224 x 224, as in Caffe's model zoo; it ends in the class scores
(no softmax), and its layers have the zoo's names."""
    net = Net("nin_imagenet", comment, image(224))
    # (convolution, width, kernel, stride, pad), its two 1 x 1 with widths, the three rectifiers
    blocks = (
        (("conv1", 96, 11, 4, 0), (("cccp1", 96), ("cccp2", 96)), (0, 1, 2), "pool0"),
        (("conv2", 256, 5, 1, 2), (("cccp3", 256), ("cccp4", 256)), (3, 5, 6), "pool2"),
        (("conv3", 384, 3, 1, 1), (("cccp5", 384), ("cccp6", 384)), (7, 8, 9), "pool3"),
        (("conv4", 1024, 3, 1, 1), (("cccp7", 1024), ("cccp8", 1000)), (10, 11, 12), ""),
    )
    x = "data"
    for (name, width, kernel, stride, pad), mixers, rectifiers, pool in blocks:
        suffix = "" if pool else "-1024"
        x = net.conv(x, name + suffix, width, kernel, stride=stride, pad=pad, top=name)
        x = net.relu(x, f"relu{rectifiers[0]}")
        for (mixer, mixed), rectifier in zip(mixers, rectifiers[1:], strict=True):
            x = net.relu(net.conv(x, mixer + suffix, mixed, 1, top=mixer), f"relu{rectifier}")
        if pool:
            x = net.pool(x, pool, "MAX", 3, 2)
        if pool == "pool3":
            x = net.dropout(x, "drop")
    net.pool(x, "pool4", "AVE", 6)
    return net


def vgg_features(net: Net, blocks: tuple[int, ...], x: str = "data", pad_first: int = 1) -> str:
    """VGG's five blocks of 3 x 3 convolutions, each but the last with its pooling."""
    for block, depth in enumerate(blocks, start=1):
        width = (64, 128, 256, 512, 512)[block - 1]
        for index in range(1, depth + 1):
            pad = pad_first if (block, index) == (1, 1) else 1
            x = net.conv(x, f"conv{block}_{index}", width, 3, pad=pad)
            x = net.relu(x, f"relu{block}_{index}")
        if block < len(blocks):
            x = net.pool(x, f"pool{block}", "MAX", 2, 2)
    return x


def vgg(depth: int, comment: str = "", input_layer: str = "", last: str = "fc8") -> Net:
    """VGG with 11 (A), 13 (B), 16 (D) or 19 (E) weight layers."""
    blocks = {
        11: (1, 1, 2, 2, 2),
        13: (2, 2, 2, 2, 2),
        16: (2, 2, 3, 3, 3),
        19: (2, 2, 4, 4, 4),
    }[depth]
    letter = {11: "A", 13: "B", 16: "D", 19: "E"}[depth]
    comment = comment or f"VGG-{depth} (configuration {letter} of Simonyan and Zisserman)."
    net = Net(f"VGG_{depth}", comment, image(224), input_layer)
    x = net.pool(vgg_features(net, blocks), "pool5", "MAX", 2, 2)
    net.softmax(net.fc(_classifier(net, x, (4096, 4096)), last, 1000))
    return net


def squeezenet(version: str) -> Net:
    """SqueezeNet 1.0 (7 x 7 first, late pooling) or 1.1 (3 x 3 first, early pooling)."""
    net = Net(f"SqueezeNet_v{version}", f"SqueezeNet {version}.", image(227))
    first, pooled_after = ((96, 7), (4, 8)) if version == "1.0" else ((64, 3), (3, 5))
    x = net.relu(net.conv("data", "conv1", *first, stride=2), "relu_conv1")
    x = net.pool(x, "pool1", "MAX", 3, 2)
    for index, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), start=2):
        x = _fire(net, x, f"fire{index}", squeeze)
        if index in pooled_after:
            x = net.pool(x, f"pool{index}", "MAX", 3, 2)
    x = net.dropout(x, "drop9")
    # v1.0 was published with a border of one around the last 1 x 1 convolution
    x = net.conv(x, "conv10", 1000, 1, pad=1 if version == "1.0" else 0)
    net.softmax(net.pool(net.relu(x, "relu_conv10"), "pool10", "AVE"))
    return net


def _fire(net: Net, x: str, name: str, squeeze: int) -> str:
    x = net.relu(net.conv(x, f"{name}/squeeze1x1", squeeze, 1), f"{name}/relu_squeeze1x1")
    one = net.relu(net.conv(x, f"{name}/expand1x1", 4 * squeeze, 1), f"{name}/relu_expand1x1")
    three = net.conv(x, f"{name}/expand3x3", 4 * squeeze, 3, pad=1)
    three = net.relu(three, f"{name}/relu_expand3x3")
    return net.concat((one, three), f"{name}/concat")
