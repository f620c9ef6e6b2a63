"""``neuralpower report``: static HTML pages from the tables of a results folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from neuralpower.core.errors import InputError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("results", type=Path, metavar="RESULTS_DIR")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder of pages")
    parser.add_argument(
        "--page",
        action="append",
        metavar="PAGE",
        help="index (with accuracy and choosing), network:NAME or platform:NAME; default: all",
    )
    parser.add_argument(
        "--existing",
        action="store_true",
        help="link only pages that are there: for a run of which a part failed",
    )
    parser.add_argument(
        "--measurements",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="measurements of one platform, or of one a sub-folder; default: the folders "
        "measurements beside and in RESULTS_DIR",
    )
    parser.add_argument(
        "--networks-file",
        type=Path,
        metavar="YAML",
        help="published errors and sources of the networks; default: prototxts/networks.yaml "
        "beside RESULTS_DIR",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the pages; exit status 0."""
    from neuralpower.reporting.results import Results
    from neuralpower.reporting.site import all_pages, page_path, write_page

    if not arguments.results.is_dir():
        raise InputError("no such results folder: run the workflow first", path=arguments.results)
    home = arguments.results.resolve().parent
    results = Results(
        arguments.results,
        arguments.measurements or [home / "measurements"],
        arguments.networks_file or home / "prototxts" / "networks.yaml",
    )
    pages = arguments.page or all_pages(results)
    for page in pages:
        page_path(arguments.out, page)  # an unknown page is told before any is written
    for page in pages:
        write_page(results, arguments.out, page, existing=arguments.existing)
    return 0
