"""Compile ``caffe.proto`` to ``caffe_pb2.py`` and ``caffe_pb2.pyi``.

Run ``python -m neuralpower.caffe.compile_schema`` after a change of the schema (needs the
development extra: grpcio-tools). A test checks that doing so changes nothing.
"""

from __future__ import annotations

import importlib
import sys
from importlib import resources
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
OUTPUTS = ("caffe_pb2.py", "caffe_pb2.pyi")


def compile_schema(destination: Path = FOLDER) -> None:
    """Write the compiled schema into the folder ``destination``.

    Raises ``RuntimeError`` when the compiler refuses the schema.
    """
    protoc = importlib.import_module("grpc_tools.protoc")
    package = "neuralpower/caffe"
    root = FOLDER.parent.parent
    target = destination if destination != FOLDER else root
    includes = resources.files("grpc_tools") / "_proto"
    status = protoc.main(
        [
            "protoc",
            f"--proto_path={root}",
            f"--proto_path={includes}",
            f"--python_out={target}",
            f"--pyi_out={target}",
            f"{package}/caffe.proto",
        ]
    )
    if status:
        raise RuntimeError(f"protoc ended with status {status}")


if __name__ == "__main__":
    compile_schema()
    sys.stdout.write(f"wrote {' and '.join(OUTPUTS)}\n")
