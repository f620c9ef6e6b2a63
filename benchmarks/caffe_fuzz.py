"""Fuzz the Caffe front end with atheris: any bytes must end in a table or in one line.

Not part of the tests. Use a separate environment (atheris is no dependency of the project):

    python -m venv fuzz && fuzz/bin/pip install atheris protobuf
    PYTHONPATH=src fuzz/bin/python benchmarks/caffe_fuzz.py -max_total_time=600 CORPUS

``CORPUS`` is a folder of prototxts to start from; the options are libFuzzer's. Every input is read
in lenient and in strict mode; a crash is any exception but ``InputError``, a message of more than
one line, a table that cannot be encoded, or a run over ten seconds (libFuzzer's ``-timeout``).
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["neuralpower"]):
    from neuralpower.caffe.layers import MODULES, find
    from neuralpower.caffe.network import LAYER_COLUMNS, layer_row, parse_network
    from neuralpower.core.errors import InputError
    from neuralpower.core.files import csv_text

    for names in MODULES.values():
        find(names.split()[0])


def one_input(data: bytes) -> None:
    """Read one input in both modes."""
    text = data.decode("utf-8", "surrogateescape")
    for strict in (False, True):
        try:
            network = parse_network(text, strict=strict, data_shape=(3, 8, 8))
        except InputError as error:
            if "\n" in str(error):
                raise AssertionError("a message of several lines") from error
            continue
        rows = [layer_row(network, layer) for layer in network.layers]
        csv_text(LAYER_COLUMNS, rows).encode("utf-8")


if __name__ == "__main__":
    atheris.Setup(["caffe_fuzz", "-timeout=10", *sys.argv[1:]], one_input)
    atheris.Fuzz()
