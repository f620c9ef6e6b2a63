"""The options of an executor on the command line, the same for every command that runs layers."""

from __future__ import annotations

import argparse
import os
import re

from neuralpower.core.errors import InputError
from neuralpower.frameworks.protocol import ExecutorOptions

_UUID = re.compile(r"GPU-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def add_device_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare device, precision, memory format and autotuning."""
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--gpu",
        default="",
        metavar="UUID",
        help="the GPU that computes and whose power is read (nvidia-smi -L); default: the first",
    )
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
    """The options as given; the one GPU that was asked for is all that frameworks will see."""
    if arguments.gpu:
        if arguments.device != "cuda":
            raise InputError("--gpu names a GPU: it goes with --device cuda")
        if not _UUID.fullmatch(arguments.gpu):
            raise InputError(f"--gpu {arguments.gpu!r}: give a UUID as nvidia-smi -L prints it")
        os.environ["CUDA_VISIBLE_DEVICES"] = arguments.gpu
    return ExecutorOptions(
        arguments.device, arguments.precision, arguments.memory_format, arguments.autotune
    )
