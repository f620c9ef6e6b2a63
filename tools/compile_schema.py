"""Write what is generated in ``neuralpower.caffe``: ``python tools/compile_schema.py``.

The schema compiled (``caffe_pb2.py``, ``caffe_pb2.pyi``; needs the development extra:
grpcio-tools) and the index of layer types (``layers/index.py``). To be run after a change of
``caffe.proto`` or of what ``@layer_type`` registers; a test checks that it changes nothing.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
import textwrap
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

FOLDER = ROOT / "src/neuralpower/caffe"
OUTPUTS = ("caffe_pb2.py", "caffe_pb2.pyi")
INDEX = FOLDER / "layers/index.py"

_HEAD = '''"""Written by tools/compile_schema.py: the layer types that each module registers."""

from __future__ import annotations

MODULES: dict[str, str] = {
'''


def compile_schema(destination: Path = FOLDER) -> None:
    """Write the compiled schema into the folder ``destination``.

    Raises ``RuntimeError`` when the compiler refuses the schema.
    """
    protoc = importlib.import_module("grpc_tools.protoc")
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
            "neuralpower/caffe/caffe.proto",
        ]
    )
    if status:
        raise RuntimeError(f"protoc ended with status {status}")


def layer_index() -> str:
    """The text of ``layers/index.py``."""
    from neuralpower.caffe.registry import LAYER_TYPES

    package = "neuralpower.caffe.layers"
    for module in pkgutil.iter_modules([str(FOLDER / "layers")]):
        importlib.import_module(f"{package}.{module.name}")
    found: dict[str, list[str]] = {}
    for name, kind in LAYER_TYPES.items():
        module_name = inspect.unwrap(kind.shapes).__module__.removeprefix(f"{package}.")
        found.setdefault(module_name, []).append(name)
    text = _HEAD
    for module_name, names in sorted(found.items()):
        lines = textwrap.wrap(" ".join(sorted(names)), 88)
        if len(lines) == 1:
            text += f'    "{module_name}": "{lines[0]}",\n'
            continue
        parts = [f'        "{line} "\n' for line in lines[:-1]] + [f'        "{lines[-1]}"\n']
        text += f'    "{module_name}": (\n{"".join(parts)}    ),\n'
    return text + "}\n"


if __name__ == "__main__":
    compile_schema()
    INDEX.write_text(layer_index(), encoding="utf-8")
    sys.stdout.write(f"wrote {', '.join(OUTPUTS)} and layers/{INDEX.name}\n")
