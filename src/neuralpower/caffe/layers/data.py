"""Layers that bring data in or out: shapes from the file, or from options where data decide.

The strict mode asks for ``--data-shape`` as Caffe asks for the data. The lenient one takes what
the file says in other words (``crop_size`` and three channels, SSD's ``resize_param``, the new
sizes of image lists, the name of a well-known data set) and notes what it assumed.
"""

from __future__ import annotations

import re
from typing import Any

from neuralpower.caffe.caffe_pb2 import LayerParameter, TransformationParameter
from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import LayerFacts, Operation, Silence, operation
from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import Shape, check, check_blob, count, dims

#: One datum of data sets that the name of their database gives away, as Caffe's examples and its
#: documentation store them.
_DATA_SETS: dict[str, Shape] = {
    "mnist": (1, 28, 28),
    "cifar": (3, 32, 32),
    "ilsvrc": (3, 256, 256),
    "imagenet": (3, 256, 256),
}


@layer_type("Input", bottoms=(0, 0), tops=(1, None), source=True, free=True)
def input_(setup: Setup) -> list[Shape]:
    """One shape for all tops, one for each, or none (scalars)."""
    shapes = [dims(shape) for shape in setup.param.input_param.shape]
    check(
        len(shapes) in (0, 1, setup.n_tops),
        f"{len(shapes)} shapes for {setup.n_tops} tops: give one, or one a top",
    )
    if not shapes:
        return [()] * setup.n_tops
    return shapes * setup.n_tops if len(shapes) == 1 else shapes


@layer_type("DummyData", bottoms=(0, 0), tops=(1, None), source=True, free=True)
def dummy_data(setup: Setup) -> list[Shape]:
    """Shapes as for Input, or four legacy sizes a top; filled at once, so never empty."""
    param, n_tops = setup.param.dummy_data_param, setup.n_tops
    check(
        len(param.data_filler) in (0, 1, n_tops),
        f"{len(param.data_filler)} fillers for {n_tops} tops",
    )
    legacy = (param.num, param.channels, param.height, param.width)
    if any(len(sizes) for sizes in legacy):
        check(len(param.shape) == 0, "either shape or num, channels, height and width; not both")
        for sizes in legacy:
            check(
                len(sizes) in (1, n_tops),
                "num, channels, height and width must each be given once, or once a top",
            )
        shapes = [
            tuple(sizes[0] if len(sizes) == 1 else sizes[top] for sizes in legacy)
            for top in range(n_tops)
        ]
    else:
        given = [dims(shape) for shape in param.shape]
        check(len(given) in (1, n_tops), f"{len(given)} shapes for {n_tops} tops")
        shapes = given * n_tops if len(given) == 1 else given
    for top, shape in enumerate(shapes):
        setup.expect(count(check_blob(shape, setup.limit)) > 0, "the data are empty")
        if len(param.data_filler):
            check_filler(setup, param.data_filler[0 if len(param.data_filler) == 1 else top], shape)
    return shapes


@layer_type("Parameter", bottoms=(0, 0), tops=(1, 1), free=True)
def parameter(setup: Setup) -> list[Shape]:
    """A learnt blob as a top."""
    shape = dims(setup.param.parameter_param.shape)
    setup.params = [shape]
    return [shape]


@layer_type("MemoryData", bottoms=(0, 0), tops=(2, 2), source=True, free=True)
def memory_data(setup: Setup) -> list[Shape]:
    """Data and labels of the given sizes."""
    param = setup.param.memory_data_param
    shape = (param.batch_size, param.channels, param.height, param.width)
    check(min(shape) > 0, "batch_size, channels, height and width must be given and positive")
    return [shape, (param.batch_size,)]


@layer_type("Data", bottoms=(0, 0), tops=(1, 2), source=True, free=True)
def data(setup: Setup) -> list[Shape]:
    """A batch of items of a database, cropped, and perhaps labels."""
    param = setup.param.data_param
    datum = _datum(setup, "database", param.source, crop=param.crop_size)
    return _batch(setup, param.batch_size, datum)


@layer_type("AnyData", bottoms=(0, 0), tops=(1, None), fork=True, source=True, free=True)
def any_data(setup: Setup) -> list[Shape]:
    """A data layer of a type that nobody knows: what a known one with its parameters would bring.

    The first top and those with names of images are images, those with names of labels have one
    number for each; the others cannot be known.
    """
    param = setup.param
    blocks = (
        param.data_param, param.image_data_param, param.dense_image_data_param,
        param.window_data_param, param.video_data_param,
    )  # fmt: skip
    # A list of images has a batch of 1 where none is given.
    given = [block for block in blocks if block.HasField("batch_size")]
    batch = given[0].batch_size if given else 0
    source = next((block.source for block in blocks if block.source), "")
    crop = next((size for block in blocks[:4] if (size := _old_crop(block))), 0)
    images = next((block for block in blocks[1:3] if _resized(setup, block)), None)
    datum = None if images is None else _resized(setup, images)
    try:
        image, *_ = _batch(setup, batch, datum or _datum(setup, "data", source, crop=crop))
    except UnknownShape:
        raise UnknownShape(
            f"the layer type '{param.type[:60]}' is unknown: "
            "give --data-shape CxHxW or --blob-shape"
        ) from None
    setup.assume(f"data of the unknown type {param.type[:60]}")
    tops: list[Shape | None] = [
        image
        if position == 0 or _IMAGES.search(name)
        else image[:1]
        if _LABELS.search(name)
        else None
        for position, name in enumerate(param.top)
    ]
    if None in tops:
        names = ", ".join(
            name[:60] for name, top in zip(param.top, tops, strict=True) if top is None
        )
        raise UnknownShape(f"give --blob-shape of {names}", tops)
    return [top for top in tops if top is not None]


#: Names of tops of data layers.
_IMAGES = re.compile(r"(?i)data|image|img|anchor|positive|negative|pair")
_LABELS = re.compile(r"(?i)label|sim")


def _old_crop(block: Any) -> int:
    """The crop that V1 layers give among their data's parameters."""
    return block.crop_size if "crop_size" in block.DESCRIPTOR.fields_by_name else 0


@layer_type("AnnotatedData", bottoms=(0, 0), tops=(1, 2), fork=True, source=True, free=True)
def annotated_data(setup: Setup) -> list[Shape]:
    """SSD: a batch of resized images, and [1, 1, boxes, 8] labels; one box until data are known."""
    param = setup.param.data_param
    image, *_ = _batch(setup, param.batch_size, _datum(setup, "database", param.source))
    setup.notes.append("the number of label rows depends on the data")
    return [image, (1, 1, 1, 8)][: setup.n_tops]


@layer_type("ImageData", bottoms=(0, 0), tops=(2, 2), source=True, free=True)
def image_data(setup: Setup) -> list[Shape]:
    """A batch of images of a list, resized and cropped, and labels."""
    param = setup.param.image_data_param
    check(
        (param.new_height == 0) == (param.new_width == 0),
        "new_height and new_width must both be given or neither",
    )
    datum = _resized(setup, param) or _datum(
        setup, "list", param.source, 3 if param.is_color else 1, param.crop_size
    )
    return _batch(setup, param.batch_size, datum)


@layer_type("DenseImageData", bottoms=(0, 0), tops=(1, 2), fork=True, source=True, free=True)
def dense_image_data(setup: Setup) -> list[Shape]:
    """SegNet: images and a label a pixel."""
    param, transform = setup.param.dense_image_data_param, setup.param.transform_param
    if param.crop_height and param.crop_width and not transform.crop_height:
        transform.crop_height, transform.crop_width = param.crop_height, param.crop_width
    datum = _resized(setup, param) or _datum(
        setup, "list", param.source, 3 if param.is_color else 1
    )
    image, *_ = _batch(setup, param.batch_size, datum)
    return [image, (image[0], 1, *image[2:])][: setup.n_tops]


@layer_type("ImageSegData", bottoms=(0, 0), tops=(1, 3), fork=True, source=True, free=True)
def image_seg_data(setup: Setup) -> list[Shape]:
    """DeepLab: cropped images, a label a pixel (or an image), and the sizes of the images."""
    param = setup.param.image_data_param
    channels = 3 if param.is_color else 1
    datum = _resized(setup, param) or _datum(setup, "list", param.source, channels)
    image, *_ = _batch(setup, param.batch_size, datum)
    pixels = param.label_type != param.IMAGE or not param.HasField("label_type")
    label = (image[0], 1, *(image[2:] if pixels else (1, 1)))
    return [image, label, (image[0], 1, 1, 2)][: setup.n_tops]


@layer_type("VideoData", bottoms=(0, 0), tops=(1, 2), fork=True, source=True, free=True)
def video_data(setup: Setup) -> list[Shape]:
    """C3D: clips [N, C, frames, H, W]. Temporal segments: their frames are channels."""
    if setup.param.HasField("image_data_param"):
        images = setup.param.image_data_param
        datum = _resized(setup, images) or _datum(setup, "list", images.source, 3)
        (batch, channels, *sizes), *_ = _batch(setup, images.batch_size, datum)
        check(images.new_length > 0, "new_length, the frames of a clip, must be given")
        clip = (batch, channels, images.new_length, *sizes)
        return [clip, (batch,)][: setup.n_tops]
    param = setup.param.video_data_param
    colours = 3 if param.modality == param.RGB else 2
    channels = colours * param.new_length * param.num_segments
    _, height, width = _resized(setup, param) or _datum(setup, "list", param.source, channels)
    return _batch(setup, param.batch_size, (channels, height, width))


@layer_type("WindowData", bottoms=(0, 0), tops=(2, 2), source=True, free=True)
def window_data(setup: Setup) -> list[Shape]:
    """Windows of images, all cropped to one size, and labels."""
    param, crop = setup.param.window_data_param, setup.param.transform_param.crop_size
    check(crop > 0, "crop_size must be given")
    # Caffe reads the images in colour.
    channels = 3
    if setup.data_shape or setup.strict:
        channels = _datum(setup, "list", param.source)[0]
    return _batch(setup, param.batch_size, (channels, crop, crop))


@layer_type("HDF5Data", bottoms=(0, 0), tops=(1, None), source=True, free=True)
def hdf5_data(setup: Setup) -> list[Shape]:
    """The shapes are in the HDF5 files."""
    source = setup.param.hdf5_data_param.source
    raise UnknownShape(f"the shapes are in the HDF5 files of '{source}': give --blob-shape")


@layer_type("HDF5Output", bottoms=(2, 2), tops=(0, 0), free=True)
def hdf5_output(setup: Setup) -> list[Shape]:
    """Writes blobs to a file."""
    check(setup.param.hdf5_output_param.HasField("file_name"), "file_name must be given")
    return []


@layer_type("MatWrite", "FLOWriter", "ImgWriter", "FloatWriter", bottoms=(1, None), tops=(0, 0),
            fork=True, free=True)  # fmt: skip
def writer(setup: Setup) -> list[Shape]:
    """DeepLab and FlowNet: writes blobs to files."""
    return []


@layer_type("ContinuationIndicator", bottoms=(0, 1), tops=(1, 1), fork=True, free=True)
def continuation_indicator(setup: Setup) -> list[Shape]:
    """Intel: the markers [steps, streams] of a sequence."""
    param = setup.param.continuation_indicator_param
    check(param.time_step > 0 and param.batch_size > 0, "time_step and batch_size must be given")
    return [(param.time_step, param.batch_size)]


def crop_of(transform: TransformationParameter) -> tuple[int, int]:
    """(height, width) that data are cropped to, zeros for no crop, by any fork's names."""
    height = transform.crop_h or transform.crop_height or transform.crop_size
    width = transform.crop_w or transform.crop_width or transform.crop_size
    return height, width


def _resized(setup: Setup, param: Any) -> Shape | None:
    """The size that a list's images are resized to, or None; the option of the user wins."""
    if setup.data_shape is not None or setup.strict:
        return None
    if param.new_height and param.new_width:
        colour = getattr(param, "is_color", True)
        return (3 if colour else 1, param.new_height, param.new_width)
    return None


def _datum(
    setup: Setup, kind: str, source: str, channels: int | None = None, crop: int = 0
) -> Shape:
    """(C, H, W) of one item before the crop: given, or what the file says in other words.

    ``crop``: a size where only V1 layers have it; current ones read ``transform_param``.
    """
    if setup.data_shape is not None:
        return setup.data_shape
    found = None if setup.strict else _known_size(setup, source, channels)
    if found is None and crop and not setup.strict:
        setup.assume(f"items of {crop}x{crop}, a crop_size outside transform_param")
        found = (_channels(setup, channels), crop, crop)
    if found is None:
        raise UnknownShape(
            f"the size of one item is in the {kind} '{source}': give --data-shape CxHxW"
        )
    return found


def _known_size(setup: Setup, source: str, channels: int | None) -> Shape | None:
    transform = setup.param.transform_param
    resize, crop = transform.resize_param, crop_of(transform)
    name = source.lower()
    known = next((shape for word, shape in _DATA_SETS.items() if word in name), None)
    if known is not None and "siamese" in name:
        # Caffe's example of siamese networks stores the two images of a pair as channels.
        known = (2 * known[0], *known[1:])
    height, width = crop
    if not (height and width) and resize.resize_mode != resize.FIT_SMALL_SIZE:
        height, width = resize.height, resize.width
    if not (height and width):
        height, width = transform.new_height, transform.new_width
    if not (height and width):
        if known is not None:
            words = "x".join(map(str, known))
            setup.assume(f"items of {words}, as the name of the data says (else --data-shape)")
        return known
    if channels is None and known is not None:
        channels = known[0]
        setup.assume(_CHANNELS.format(channels, "s" * (channels > 1)))
    return _channels(setup, channels), height, width


_CHANNELS = "{} channel{} (else --data-shape)"


def _channels(setup: Setup, channels: int | None) -> int:
    """The channels of items where the file gives only their height and width."""
    if channels is None:
        channels = 1 if setup.param.transform_param.force_gray else 3
        setup.assume(_CHANNELS.format(channels, "s" * (channels > 1)))
    return channels


def _batch(setup: Setup, batch: int, datum: Shape) -> list[Shape]:
    """The tops of a data layer: items cropped to ``crop_size``, and labels."""
    transform: Any = setup.param.transform_param
    if transform.HasField("mean_file") and transform.mean_value:
        setup.expect(False, "either mean_file or mean_value; not both")
    channels, height, width = datum
    crop_height, crop_width = crop_of(transform)
    if crop_height and crop_width:
        fits = height >= crop_height and width >= crop_width
        check(fits, f"crop_size {crop_height} is more than {height}x{width}")
        height, width = crop_height, crop_width
    if not batch and not setup.strict:
        setup.assume("a batch of 1 (else --batch)")
        batch = 1
    check(batch > 0, "batch_size must be given and positive")
    return [(batch, channels, height, width), (batch,)][: setup.n_tops]


class Parameter(Operation):
    """A parameter as an output."""


@operation("Parameter", kinds="filter")
def parameter_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Its blob is a filter, whatever its axes."""
    return Parameter(layer)


@operation("HDF5Output")
def output_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Nothing is written: files that a network names are not touched."""
    return Silence(layer)
