"""``neuralpower equations``: fitted models as formulas to read, to print, or to copy into code."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("models", type=Path, metavar="MODELS_DIR", help="folder written by fit")
    parser.add_argument("--family", metavar="NAME", help="only this layer family")
    parser.add_argument("--target", metavar="NAME", help="only runtime_ms, power_w or energy_mj")
    parser.add_argument(
        "--format",
        choices=("text", "latex", "python"),
        default="text",
        help="python: the source of a function of the features, with all digits",
    )
    parser.add_argument("--out", type=Path, metavar="FILE")


def run(arguments: argparse.Namespace) -> int:
    """Print the equations of the models that are asked for; exit status 0."""
    from neuralpower.core.errors import InputError, show
    from neuralpower.core.files import write_text
    from neuralpower.modeling import equations
    from neuralpower.modeling.models import load_models

    write = {
        "text": equations.to_text,
        "latex": equations.to_latex,
        "python": equations.to_python,
    }[arguments.format]
    found = load_models(arguments.models).models
    wanted = [
        model
        for (family, target), model in sorted(found.items())
        if arguments.family in (None, family) and arguments.target in (None, target)
    ]
    if not wanted:
        known = ", ".join(f"{family} {target}" for family, target in sorted(found)) or "none"
        raise InputError(f"no such model: there are {known}", path=arguments.models)
    text = "\n".join(write(model) for model in wanted)
    if arguments.out is None:
        show(text)
    else:
        write_text(arguments.out, text)
    return 0
