"""The options of an executor on the command line, the same for every command that runs layers."""

from __future__ import annotations

import argparse

from neuralpower.frameworks.protocol import ExecutorOptions


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare device, precision, memory format and autotuning."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--precision",
        default="fp32",
        help="fp32 (TF32 off), tf32 (GPU), fp16, bf16 (executors torch and jax)",
    )
    parser.add_argument(
        "--memory-format", default="nchw", help="nchw or channels_last (executor torch)"
    )
    parser.add_argument(
        "--no-autotune",
        dest="autotune",
        action="store_false",
        help="take the first choice of an algorithm, do not time several (GPU)",
    )


def executor_options(arguments: argparse.Namespace) -> ExecutorOptions:
    """The options as given."""
    return ExecutorOptions(
        arguments.device, arguments.precision, arguments.memory_format, arguments.autotune
    )
