"""The words of the pages: ten that a reader has to know. docs/glossary.md holds the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import Results


@dataclass(frozen=True, slots=True)
class Word:
    """A word and what it means here."""

    word: str
    meaning: str

    @property
    def id(self) -> str:
        """Its place on the page."""
        return self.word.replace(" ", "-")


WORDS = (
    Word(
        "platform",
        "A device with its software as it was measured: a processor or graphics card, the "
        "framework that runs the layers, precision and settings. Another framework on the same "
        "device is another platform.",
    ),
    Word(
        "family",
        "Layer types that do the same kind of work and share one model: conv for convolutions, fc "
        "for inner products, pool, relu, batchnorm and others.",
    ),
    Word(
        "configuration",
        "One layer with all of its sizes: batch, channels, height and width, kernel, stride, "
        "padding, groups. Two layers of one configuration cost the same.",
    ),
    Word(
        "visit",
        "One measurement of one configuration: the layer is built, warmed up and timed, and its "
        "power is taken where there is a sensor. Several visits show how well it repeats.",
    ),
    Word(
        "anchor",
        "One fixed layer that is visited again and again during a run. It costs the same each "
        "time, so what changes is the machine.",
    ),
    Word(
        "pass",
        "One forward run of a whole network at one batch size. Measured passes check what is "
        "predicted from single layers.",
    ),
    Word(
        "shard",
        "A part of a sweep of configurations that one machine measures, so that several machines "
        "of one kind share the work.",
    ),
    Word(
        "out of fold",
        "Predicted by a model that has not seen it. The measured configurations are dealt into ten "
        "parts; each part is predicted by models that were fitted to the other nine. Errors on "
        "these pages are out of fold where nothing else is said.",
    ),
    Word(
        "composition",
        "How the figures of single layers become those of a network: runtimes and energies are "
        "added, with a factor for each family that comes from measured passes of other networks.",
    ),
    Word(
        "roofline",
        "The shortest time in which a device can do a layer: the longer one of its arithmetic and "
        "of its memory traffic. A layer near the first is compute-bound, near the second "
        "memory-bound. One that takes little more than the start of its kernel is launch-bound: "
        "making it smaller saves nothing.",
    ),
)


def glossary_context(results: Results, page: Path) -> dict[str, object]:
    """What the template ``glossary.html`` shows."""
    return {"title": "Glossary", "words": WORDS}


PAGE = Page(template="glossary.html", path="glossary.html", inputs=(), context=glossary_context)
