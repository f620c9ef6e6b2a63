"""Arguments that several commands share, and readers of values: ``ValueError`` for a bad one."""

from __future__ import annotations

import argparse
import re
from pathlib import Path


def positive(text: str) -> int:
    """A whole number from 1 on."""
    value = int(text)
    if value < 1:
        raise ValueError
    return value


def share(text: str) -> float:
    """A share from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise ValueError
    return value


def seconds(text: str) -> float:
    """A time: 540s, 10m, 1h, 200ms, or a number of seconds."""
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|)", text)
    if not match or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 540s, 10m or 1h")
    return float(match[1]) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "h": 3600}[match[2]]


def seconds_or_none(text: str) -> float:
    """A time, or 0."""
    return 0.0 if text in ("0", "0s") else seconds(text)


def add_models(parser: argparse.ArgumentParser) -> None:
    """Declare ``--models`` of one platform."""
    parser.add_argument("--models", required=True, type=Path, help="folder written by fit")


def add_measured(parser: argparse.ArgumentParser, networks: str) -> None:
    """Declare a folder of measurements, the models and the networks that it has passes of."""
    parser.add_argument(
        "measurements", type=Path, metavar="MEASUREMENTS_DIR", help="folder of measurements"
    )
    add_models(parser)
    parser.add_argument(
        "--networks", nargs="*", type=Path, default=[], metavar="NET", help=networks
    )


def add_table_output(parser: argparse.ArgumentParser) -> None:
    """Declare where a table goes and as what."""
    parser.add_argument("--out", type=Path, help="file to write; otherwise standard output")
    parser.add_argument(
        "--format", choices=("csv", "json", "md"), help="default: csv; aligned text on a terminal"
    )


def add_data_sheet(parser: argparse.ArgumentParser) -> None:
    """Declare ``--data-sheet`` of a new device."""
    parser.add_argument(
        "--data-sheet",
        type=Path,
        metavar="FILE",
        help="YAML with the new device's peak_gflops and bandwidth_gb_s, also power_cap_w, "
        "idle_power_w, device: for layers that were not measured",
    )


def add_source_models(parser: argparse.ArgumentParser) -> None:
    """Declare ``--models`` of the devices that a new one learns from."""
    parser.add_argument(
        "--models",
        required=True,
        nargs="+",
        action="extend",
        type=Path,
        metavar="MODELS_DIR",
        help="models of measured platforms, from fit; the best of them is taken for each family",
    )
