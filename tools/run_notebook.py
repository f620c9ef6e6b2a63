"""Run the cells of a notebook in order and store what they show: ``python tools/run_notebook.py``.

Needs no Jupyter: a code cell is Python, its last expression is shown as text and, where it can, as
HTML. Run from the root of the repository, after a change of a notebook or of what it shows.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

NOTEBOOKS = Path(__file__).resolve().parents[1] / "docs" / "notebooks"


def execute(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The notebook with the outputs of its code cells, run in one namespace in ``folder``.

    What a cell raises is raised.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    with contextlib.chdir(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] != "code":
                continue
            count += 1
            printed, value = _run("".join(cell["source"]), names)
            cell["execution_count"] = count
            cell["outputs"] = _outputs(printed, value, count)
    return notebook


def _run(source: str, names: dict[str, Any]) -> tuple[str, Any]:
    tree = ast.parse(source)
    last = tree.body[-1] if tree.body else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        if isinstance(last, ast.Expr):
            exec(compile(ast.Module(tree.body[:-1], []), "<cell>", "exec"), names)
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
        else:
            exec(compile(tree, "<cell>", "exec"), names)
    return printed.getvalue(), value


def _outputs(printed: str, value: Any, count: int) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    if printed:
        lines = printed.splitlines(keepends=True)
        outputs.append({"name": "stdout", "output_type": "stream", "text": lines})
    if value is not None:
        data = {"text/plain": repr(value).splitlines(keepends=True)}
        html = getattr(value, "_repr_html_", None)
        if html is not None:
            data["text/html"] = html().splitlines(keepends=True)
        outputs.append({"data": data, "execution_count": count, "metadata": {},
                        "output_type": "execute_result"})  # fmt: skip
    return outputs


def main() -> int:
    """Run every notebook of the documentation and write it back."""
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        notebook = execute(json.loads(path.read_text(encoding="utf-8")), Path(os.getcwd()))
        text = json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")
        sys.stderr.write(f"{path}: run\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
