"""``neuralpower published``: platforms learnt from measurements that others published."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from neuralpower.commands.progress import ByteProgress
from neuralpower.core import files
from neuralpower.core.errors import say

if TYPE_CHECKING:
    from neuralpower.project.published import Published

_LIST = ("platform", "title", "power", "layers", "networks", "batch_sizes", "licence", "models")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="the published platforms and what they hold")
    fetch = actions.add_parser("fetch", help="bring measurements, checked, and convert them")
    fetch.add_argument("names", nargs="+", metavar="NAME")
    fetch.add_argument(
        "--from",
        dest="origin",
        metavar="FOLDER|URL",
        help="where the files are; default: the repository and commit that the recipe names",
    )
    refit = actions.add_parser("refit", help="fit fetched measurements again and compare")
    refit.add_argument("names", nargs="+", metavar="NAME")
    refit.add_argument("--write", action="store_true", help="replace the committed models")
    refit.add_argument("--out", type=Path, metavar="CSV", help="table of differences to write")
    use = actions.add_parser("use", help="put committed models into the results folder")
    use.add_argument("names", nargs="+", metavar="NAME")
    for action in (fetch, refit, use):
        action.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")


def run(arguments: argparse.Namespace) -> int:
    """Exit status 0, or 1 where a refit differs from what is committed."""
    from neuralpower.project import published

    if arguments.action == "list":
        found = [published.find(name) for name in published.published_names()]
        files.write_table(None, _LIST, [_row(one) for one in found])
        return 0
    chosen = [published.find(name) for name in arguments.names]
    if arguments.action == "use":
        for one in chosen:
            published.use(one, arguments.results)
        return 0
    if arguments.action == "fetch":
        for one in chosen:
            _fetch(one, arguments)
        return 0
    return _refit(chosen, arguments)


def _row(one: Published) -> dict[str, object]:
    index, recipe = one.index(), one.recipe
    rows = index.get("rows", {})
    networks = sum(file.reader == "torch networks" for file in recipe.files)
    return {
        "platform": one.name,
        "title": recipe.title,
        "power": "yes" if any("power_w" in file.columns for file in recipe.files) else "no",
        "layers": " ".join(f"{name}:{rows[name]['configurations']}" for name in sorted(rows)),
        "networks": "yes" if networks else "no",
        "batch_sizes": " ".join(map(str, recipe.batch_sizes)) or "many",
        "licence": recipe.source.licence,
        "models": "yes" if one.fitted else "no",
    }


def _measurements(one: Published, results: Path) -> Path:
    return results / "measurements" / one.name


def _fetch(one: Published, arguments: argparse.Namespace) -> None:
    from neuralpower.importing.conversion import convert
    from neuralpower.importing.fetching import fetch

    sources = arguments.results / "published" / one.name
    with ByteProgress() as progress:
        fetch(one.recipe, sources, arguments.origin, progress.update)
    out = convert(one.recipe, sources, _measurements(one, arguments.results))
    _tell(f"{out}: fetched, checked and converted")


def _refit(chosen: list[Published], arguments: argparse.Namespace) -> int:
    from neuralpower.core.errors import InputError
    from neuralpower.project import published

    found = []
    for one in chosen:
        folder = _measurements(one, arguments.results)
        if not folder.is_dir():
            raise InputError(
                f"is not there: run `neuralpower published fetch {one.name}` first", path=folder
            )
        out = arguments.results / "refit" / one.name
        _fit(one, folder, out)
        if arguments.write:
            published.keep(one, out)
            _write_card(one)
            _tell(f"{one.folder}: models, accuracy and card replaced")
            continue
        changes = published.differences(one.models, out / published.MODELS)
        _tell(f"{one.name}: {len(changes)} differences from the committed models")
        found += [{"platform": one.name, "model": c.model, "what": c.what,
                   "committed": c.committed, "refitted": c.refitted} for c in changes]  # fmt: skip
    columns = ("platform", "model", "what", "committed", "refitted")
    if arguments.out is not None:
        files.write_table(arguments.out, columns, found)
    elif found:
        files.write_table(None, columns, found[:20])
    return 1 if found else 0


def _fit(one: Published, measurements: Path, out: Path) -> None:
    from neuralpower.commands.threads import single_thread
    from neuralpower.modeling.models import load_models
    from neuralpower.modeling.platforms import fit_platform
    from neuralpower.networks.calibration import save_composition
    from neuralpower.networks.held_out import hold_out
    from neuralpower.networks.learning import learn, load_trials
    from neuralpower.project import published
    from neuralpower.scoring.layers import evaluate

    folder, networks = out / published.MODELS, published.prototxts(one.folder.parent)
    with single_thread():
        fit_platform(measurements, folder, published.fit_options(one))
        models = load_models(folder)
        trials, _ = load_trials(measurements, models, networks)
        held_out = hold_out(measurements, folder, models, trials, _tell)
        save_composition(learn(trials, held_out.trials), folder)
        files.write_json(out / published.ACCURACY, evaluate(measurements, folder, networks))


def _write_card(one: Published) -> None:
    from neuralpower.project import published
    from neuralpower.project.card import card
    from neuralpower.scoring.accuracy import load_accuracy

    accuracy = load_accuracy(one.folder / published.ACCURACY)
    files.write_text(one.folder / published.CARD, card(one, accuracy))


def _tell(text: str) -> None:
    say(f"neuralpower: {text}")
