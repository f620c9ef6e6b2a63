"""The Inception family: GoogLeNet, GoogLeNet with batch normalisation, Inception v3 and v4."""

from __future__ import annotations

from prototxt_generator.builder import Net, Pair, image


def googlenet() -> Net:
    """GoogLeNet without its auxiliary classifiers, which only train."""
    net = Net(
        "GoogLeNet", "GoogLeNet (Inception v1), without the classifiers of training.", image(224)
    )
    x = _conv_relu(net, "data", "conv1/", "7x7_s2", 64, 7, stride=2, pad=3, short="7x7")
    x = net.lrn(net.pool(x, "pool1/3x3_s2", "MAX", 3, 2), "pool1/norm1", 5, 0.0001, 0.75)
    x = _conv_relu(net, x, "conv2/", "3x3_reduce", 64, 1)
    x = _conv_relu(net, x, "conv2/", "3x3", 192, 3, pad=1)
    x = net.pool(net.lrn(x, "conv2/norm2", 5, 0.0001, 0.75), "pool2/3x3_s2", "MAX", 3, 2)
    # 1x1, 3x3 reduce, 3x3, 5x5 reduce, 5x5, projection after pooling: table 1 of the paper
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
    for module, widths in modules.items():
        x = _module_v1(net, x, f"inception_{module}/", widths)
        if module in ("3b", "4e"):
            x = net.pool(x, f"pool{int(module[0])}/3x3_s2", "MAX", 3, 2)
    x = net.dropout(net.pool(x, "pool5/7x7_s1", "AVE", 7), "pool5/drop_7x7_s1", 0.4)
    net.softmax(net.fc(x, "loss3/classifier", 1000))
    return net


def _conv_relu(
    net: Net,
    x: str,
    prefix: str,
    name: str,
    width: int,
    kernel: int,
    *,
    stride: int = 1,
    pad: int = 0,
    short: str = "",
) -> str:
    x = net.conv(x, prefix + name, width, kernel, stride=stride, pad=pad)
    return net.relu(x, f"{prefix}relu_{short or name}")


def _module_v1(net: Net, x: str, at: str, widths: tuple[int, ...]) -> str:
    one, reduce3, three, reduce5, five, projection = widths
    a = _conv_relu(net, x, at, "1x1", one, 1)
    b = _conv_relu(net, x, at, "3x3_reduce", reduce3, 1)
    b = _conv_relu(net, b, at, "3x3", three, 3, pad=1)
    c = _conv_relu(net, x, at, "5x5_reduce", reduce5, 1)
    c = _conv_relu(net, c, at, "5x5", five, 5, pad=2)
    d = net.pool(x, f"{at}pool", "MAX", 3, pad=1)
    d = _conv_relu(net, d, at, "pool_proj", projection, 1)
    return net.concat((a, b, c, d), f"{at}output")


def _unit(
    net: Net,
    x: str,
    name: str,
    width: int,
    kernel: Pair,
    *,
    stride: int = 1,
    same: bool = True,
) -> str:
    """Convolution, batch normalisation, rectifier; ``same`` pads to keep the size at stride 1."""
    pad: Pair = 0
    if same:
        pad = (kernel[0] // 2, kernel[1] // 2) if isinstance(kernel, tuple) else kernel // 2
    x = net.conv(x, name, width, kernel, stride=stride, pad=pad, bias=False)
    return net.relu(net.norm(x, f"{name}_bn", f"{name}_scale"), f"{name}_relu")


def googlenet_bn() -> Net:
    """BN-Inception (also called Inception v2), the network of the batch-normalisation paper."""
    comment = "GoogLeNet with batch normalisation (BN-Inception), after Ioffe and Szegedy, 2015."
    net = Net("GoogLeNet_BN", comment, image(224))
    x = _unit(net, "data", "conv1_7x7_s2", 64, 7, stride=2)
    x = net.pool(x, "pool1_3x3_s2", "MAX", 3, 2)
    x = _unit(net, x, "conv2_3x3_reduce", 64, 1)
    x = net.pool(_unit(net, x, "conv2_3x3", 192, 3), "pool2_3x3_s2", "MAX", 3, 2)
    # 1x1, 3x3 reduce, 3x3, double 3x3 reduce, double 3x3, pooling, projection (figure 5)
    modules = {
        "3a": (64, 64, 64, 64, 96, "AVE", 32),
        "3b": (64, 64, 96, 64, 96, "AVE", 64),
        "3c": (0, 128, 160, 64, 96, "MAX", 0),
        "4a": (224, 64, 96, 96, 128, "AVE", 128),
        "4b": (192, 96, 128, 96, 128, "AVE", 128),
        "4c": (160, 128, 160, 128, 160, "AVE", 96),
        "4d": (96, 128, 192, 160, 192, "AVE", 96),
        "4e": (0, 128, 192, 192, 256, "MAX", 0),
        "5a": (352, 192, 320, 160, 224, "AVE", 128),
        "5b": (352, 192, 320, 192, 224, "MAX", 128),
    }
    for module, (one, reduce3, three, reduced, double, method, projection) in modules.items():
        at = f"inception_{module}"
        stride = 1 if one else 2
        towers = [_unit(net, x, f"{at}_1x1", one, 1)] if one else []
        y = _unit(net, x, f"{at}_3x3_reduce", reduce3, 1)
        towers.append(_unit(net, y, f"{at}_3x3", three, 3, stride=stride))
        y = _unit(net, x, f"{at}_double_3x3_reduce", reduced, 1)
        y = _unit(net, y, f"{at}_double_3x3_1", double, 3)
        towers.append(_unit(net, y, f"{at}_double_3x3_2", double, 3, stride=stride))
        y = net.pool(x, f"{at}_pool", method, 3, stride, pad=1 if stride == 1 else 0)
        towers.append(_unit(net, y, f"{at}_pool_proj", projection, 1) if projection else y)
        x = net.concat(towers, f"{at}_output")
    net.softmax(net.fc(net.pool(x, "pool5_7x7_s1", "AVE", 7), "fc1000", 1000))
    return net


def _tower(net: Net, x: str, at: str, *steps: tuple[int, Pair]) -> str:
    """A chain of units of stride 1 that keep the size: (width, kernel) each."""
    for index, (width, kernel) in enumerate(steps, start=1):
        x = _unit(net, x, f"{at}_{index}_{_shape(kernel)}", width, kernel)
    return x


def _shape(kernel: Pair) -> str:
    return f"{kernel[0]}x{kernel[1]}" if isinstance(kernel, tuple) else f"{kernel}x{kernel}"


def _pooled(net: Net, x: str, at: str, width: int) -> str:
    return _unit(net, net.pool(x, f"{at}_pool", "AVE", 3, pad=1), f"{at}_pool_proj", width, 1)


def inception_v3() -> Net:
    """Inception v3 on 299 x 299, without the auxiliary classifier of training."""
    net = Net("Inception_v3", "Inception v3, without the classifier of training.", image(299))
    x = _unit(net, "data", "conv1_3x3_s2", 32, 3, stride=2, same=False)
    x = _unit(net, x, "conv2_3x3", 32, 3, same=False)
    x = net.pool(_unit(net, x, "conv3_3x3", 64, 3), "pool1_3x3_s2", "MAX", 3, 2)
    x = _unit(net, x, "conv4_1x1", 80, 1)
    x = net.pool(_unit(net, x, "conv5_3x3", 192, 3, same=False), "pool2_3x3_s2", "MAX", 3, 2)
    for index, projection in enumerate((32, 64, 64), start=1):
        at = f"mixed_a{index}"
        towers = [
            _tower(net, x, f"{at}_t1", (64, 1)),
            _tower(net, x, f"{at}_t2", (48, 1), (64, 5)),
            _tower(net, x, f"{at}_t3", (64, 1), (96, 3), (96, 3)),
            _pooled(net, x, at, projection),
        ]
        x = net.concat(towers, f"{at}_output")
    x = _reduction_a(net, x, 384, (64, 96, 96))
    for index, width in enumerate((128, 160, 160, 192), start=1):
        at = f"mixed_b{index}"
        row, column = (width, (1, 7)), (width, (7, 1))
        towers = [
            _tower(net, x, f"{at}_t1", (192, 1)),
            _tower(net, x, f"{at}_t2", (width, 1), row, (192, (7, 1))),
            _tower(net, x, f"{at}_t3", (width, 1), column, row, column, (192, (1, 7))),
            _pooled(net, x, at, 192),
        ]
        x = net.concat(towers, f"{at}_output")
    x = _reduction_b(net, x, (192, 320), (192, 192, 192, 192))
    for index in (1, 2):
        at = f"mixed_c{index}"
        one = _tower(net, x, f"{at}_t1", (320, 1))
        fork2 = _tower(net, x, f"{at}_t2", (384, 1))
        fork3 = _tower(net, x, f"{at}_t3", (448, 1), (384, 3))
        towers = [
            one,
            *_fork(net, fork2, f"{at}_t2", 384),
            *_fork(net, fork3, f"{at}_t3", 384),
            _pooled(net, x, at, 192),
        ]
        x = net.concat(towers, f"{at}_output")
    x = net.dropout(net.pool(x, "pool3_8x8", "AVE"), "drop", 0.2)
    net.softmax(net.fc(x, "fc1000", 1000))
    return net


def _fork(net: Net, x: str, at: str, width: int) -> tuple[str, str]:
    """The two ends 1 x 3 and 3 x 1 of one tower."""
    row = _unit(net, x, f"{at}_row_1x3", width, (1, 3))
    return row, _unit(net, x, f"{at}_column_3x1", width, (3, 1))


def _reduction_a(net: Net, x: str, direct: int, tower: tuple[int, int, int]) -> str:
    at = "reduction_a"
    a = _unit(net, x, f"{at}_t1_3x3_s2", direct, 3, stride=2, same=False)
    b = _tower(net, x, f"{at}_t2", (tower[0], 1), (tower[1], 3))
    b = _unit(net, b, f"{at}_t2_3x3_s2", tower[2], 3, stride=2, same=False)
    return net.concat((a, b, net.pool(x, f"{at}_pool", "MAX", 3, 2)), f"{at}_output")


def _reduction_b(
    net: Net, x: str, direct: tuple[int, int], tower: tuple[int, int, int, int]
) -> str:
    at = "reduction_b"
    a = _tower(net, x, f"{at}_t1", (direct[0], 1))
    a = _unit(net, a, f"{at}_t1_3x3_s2", direct[1], 3, stride=2, same=False)
    b = _tower(net, x, f"{at}_t2", (tower[0], 1), (tower[1], (1, 7)), (tower[2], (7, 1)))
    b = _unit(net, b, f"{at}_t2_3x3_s2", tower[3], 3, stride=2, same=False)
    return net.concat((a, b, net.pool(x, f"{at}_pool", "MAX", 3, 2)), f"{at}_output")


def inception_v4() -> Net:
    """Inception v4 on 299 x 299."""
    net = Net("Inception_v4", "Inception v4 (figures 3 to 9 of its paper).", image(299))
    x = _stem_v4(net)
    for index in range(1, 5):
        at = f"inception_a{index}"
        towers = [
            _pooled(net, x, at, 96),
            _tower(net, x, f"{at}_t1", (96, 1)),
            _tower(net, x, f"{at}_t2", (64, 1), (96, 3)),
            _tower(net, x, f"{at}_t3", (64, 1), (96, 3), (96, 3)),
        ]
        x = net.concat(towers, f"{at}_output")
    x = _reduction_a(net, x, 384, (192, 224, 256))
    for index in range(1, 8):
        at = f"inception_b{index}"
        towers = [
            _pooled(net, x, at, 128),
            _tower(net, x, f"{at}_t1", (384, 1)),
            _tower(net, x, f"{at}_t2", (192, 1), (224, (1, 7)), (256, (7, 1))),
            _tower(
                net,
                x,
                f"{at}_t3",
                *((192, 1), (192, (7, 1)), (224, (1, 7)), (224, (7, 1)), (256, (1, 7))),
            ),
        ]
        x = net.concat(towers, f"{at}_output")
    x = _reduction_b(net, x, (192, 192), (256, 256, 320, 320))
    for index in range(1, 4):
        at = f"inception_c{index}"
        pooled = _pooled(net, x, at, 256)
        one = _tower(net, x, f"{at}_t1", (256, 1))
        fork2 = _tower(net, x, f"{at}_t2", (384, 1))
        fork3 = _tower(net, x, f"{at}_t3", (384, 1), (448, (3, 1)), (512, (1, 3)))
        towers = [
            pooled,
            one,
            *_fork(net, fork2, f"{at}_t2", 256),
            *_fork(net, fork3, f"{at}_t3", 256),
        ]
        x = net.concat(towers, f"{at}_output")
    x = net.dropout(net.pool(x, "pool_8x8", "AVE"), "drop", 0.2)
    net.softmax(net.fc(x, "fc1000", 1000))
    return net


def _stem_v4(net: Net) -> str:
    x = _unit(net, "data", "conv1_3x3_s2", 32, 3, stride=2, same=False)
    x = _unit(net, x, "conv2_3x3", 32, 3, same=False)
    x = _unit(net, x, "conv3_3x3", 64, 3)
    pooled = net.pool(x, "stem1_pool", "MAX", 3, 2)
    y = _unit(net, x, "stem1_3x3_s2", 96, 3, stride=2, same=False)
    x = net.concat((pooled, y), "stem1_output")
    a = _tower(net, x, "stem2_t1", (64, 1))
    a = _unit(net, a, "stem2_t1_3x3", 96, 3, same=False)
    b = _tower(net, x, "stem2_t2", (64, 1), (64, (7, 1)), (64, (1, 7)))
    b = _unit(net, b, "stem2_t2_3x3", 96, 3, same=False)
    x = net.concat((a, b), "stem2_output")
    y = _unit(net, x, "stem3_3x3_s2", 192, 3, stride=2, same=False)
    return net.concat((y, net.pool(x, "stem3_pool", "MAX", 3, 2)), "stem3_output")
