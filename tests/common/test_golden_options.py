"""Every option of every command as a stored table: names, defaults, choices, what is required."""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

from golden import check

import neuralpower
from neuralpower.cli import COMMANDS, module_name
from neuralpower.commands.parser import Parser

GOLDEN = Path(__file__).parent / "golden"


def options(parser: argparse.ArgumentParser, path: str) -> Iterator[str]:
    """One line per option; those of the commands below it follow."""
    for action in parser._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                yield from options(below, f"{path} {name}")
            continue
        reader = getattr(action.type, "__name__", "") if action.type else ""
        parts = [
            path,
            ", ".join(action.option_strings) or action.dest,
            f"nargs {action.nargs!r}",
            f"default {action.default!r}",
            f"type {reader}",
            f"choices {sorted(map(str, action.choices)) if action.choices else ''}",
            f"metavar {action.metavar!r}",
            "required" if action.required else "",
        ]
        yield " | ".join(parts).rstrip(" |")


def test_the_options_of_every_command() -> None:
    lines: list[str] = []
    for name in sorted(COMMANDS):
        parser = Parser(prog=name)
        importlib.import_module(f"neuralpower.commands.{module_name(name)}").add_arguments(parser)
        lines += options(parser, name)
    check(GOLDEN / "options.txt", "".join(f"{line}\n" for line in lines))


#: Rules of measuring and of fitting: their defaults are in the documents and in every manifest.
RULES = (
    "profiling.device_power:AdaptiveProtocol",
    "profiling.design:DesignProtocol", "profiling.device_timing:ReplayProtocol",
    "profiling.host_power:PowerProtocol", "profiling.host_timing:TimingProtocol",
    "profiling.visiting:BlockProtocol", "profiling.warm_up:WarmUpProtocol",
)  # fmt: skip


def test_the_defaults_of_rules_and_of_the_public_names() -> None:
    lines: list[str] = []
    for place in RULES:
        module, name = place.split(":")
        kind = getattr(importlib.import_module(f"neuralpower.{module}"), name)
        assert dataclasses.is_dataclass(kind)
        lines += [f"{name}.{f.name} = {f.default!r}" for f in dataclasses.fields(kind)
                  if f.default is not dataclasses.MISSING]  # fmt: skip
    for name in sorted(neuralpower.__all__):
        parameters = inspect.signature(getattr(neuralpower, name)).parameters.values()
        lines.append(f"{name}({', '.join(map(str, parameters))})")
    check(GOLDEN / "defaults.txt", "".join(f"{line}\n" for line in lines))
