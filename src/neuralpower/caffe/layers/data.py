"""Layers that bring data in or out: shapes from the file, or from options where data decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from neuralpower.caffe.fillers import check_filler
from neuralpower.caffe.operation import LayerFacts, Operation, Silence, operation
from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import Shape, check, check_blob, count, dims


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
    batch = setup.param.data_param.batch_size
    return _batch(setup, batch, _datum(setup, f"database '{setup.param.data_param.source}'"))


@layer_type("ImageData", bottoms=(0, 0), tops=(2, 2), source=True, free=True)
def image_data(setup: Setup) -> list[Shape]:
    """A batch of images of a list, resized and cropped, and labels."""
    param, crop = setup.param.image_data_param, setup.param.transform_param.crop_size
    check(
        (param.new_height == 0) == (param.new_width == 0),
        "new_height and new_width must both be given or neither",
    )
    datum = setup.data_shape
    if datum is None and not setup.strict and (crop or param.new_height):
        channels = 3 if param.is_color else 1
        datum = (channels, param.new_height or crop, param.new_width or crop)
    if datum is None:
        datum = _datum(setup, f"list '{param.source}'")
    return _batch(setup, param.batch_size, datum)


@layer_type("WindowData", bottoms=(0, 0), tops=(2, 2), source=True, free=True)
def window_data(setup: Setup) -> list[Shape]:
    """Windows of images, all cropped to one size, and labels."""
    crop = setup.param.transform_param.crop_size
    check(crop > 0, "crop_size must be given")
    datum = _datum(setup, f"list '{setup.param.window_data_param.source}'")
    return _batch(setup, setup.param.window_data_param.batch_size, (datum[0], crop, crop))


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


@layer_type("Python", bottoms=(0, None), tops=(0, None), given=True)
def python(setup: Setup) -> list[Shape]:
    """Code of the user, which is never run; the proposal layer of Faster R-CNN is known."""
    param = setup.param.python_param
    known = param.module == "rpn.proposal_layer" or not setup.strict
    if known and param.layer == "ProposalLayer":
        return [(1, 5), (1, 1, 1, 1)][: setup.n_tops]
    raise UnknownShape(
        f"Python code ({param.module}.{param.layer}) decides the shape and is never run: "
        "give --blob-shape"
    )


def _datum(setup: Setup, where: str) -> Shape:
    if setup.data_shape is None:
        raise UnknownShape(f"the size of one item is in the {where}: give --data-shape CxHxW")
    return setup.data_shape


def _batch(setup: Setup, batch: int, datum: Shape) -> list[Shape]:
    """The tops of a data layer: items cropped to ``crop_size``, and labels."""
    transform: Any = setup.param.transform_param
    if transform.HasField("mean_file") and transform.mean_value:
        setup.expect(False, "either mean_file or mean_value; not both")
    channels, height, width = datum
    crop = transform.crop_size
    if crop:
        check(height >= crop and width >= crop, f"crop_size {crop} is more than {height}x{width}")
        height = width = crop
    check(batch > 0, "batch_size must be given and positive")
    return [(batch, channels, height, width), (batch,)][: setup.n_tops]


@dataclass(frozen=True, slots=True)
class Parameter(Operation):
    """A parameter as an output."""


@operation("Parameter", kinds="filter")
def parameter_operation(layer: LayerFacts, param: Any) -> Operation:
    """Its blob is a filter, whatever its axes."""
    return Parameter(layer)


@operation("HDF5Output")
def output_operation(layer: LayerFacts, param: Any) -> Operation:
    """Nothing is written: files that a network names are not touched."""
    return Silence(layer)
