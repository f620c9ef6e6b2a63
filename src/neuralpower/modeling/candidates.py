"""What is tried by default: equations of many kinds, and the measured layers' own say."""

from __future__ import annotations

from neuralpower.modeling.crossvalidation import GAUSSIAN, Candidate
from neuralpower.modeling.forms import FORMS

#: The equations of the default grid, in the order in which ties are broken.
DEFAULT_CANDIDATES: tuple[Candidate, ...] = (
    Candidate("physical", "relative", "non-negative"),
    Candidate("kernels", "relative", "stepwise"),
    Candidate("paper", "relative", "stepwise"),
    Candidate("bends", "log", "stepwise"),
    Candidate("logs", "log", "stepwise"),
    Candidate("wide", "relative", "stepwise"),
    Candidate("regimes", "relative", "stepwise"),
    Candidate("hinged logs", "relative", "stepwise"),
    Candidate("regime logs", "log", "stepwise"),
    *(
        Candidate(library, "log", "stepwise", form)
        for form in FORMS
        for library in ("logs", "hinged logs", "bends")
    ),
)
#: What is tried beside them in every choice of means: the measured layers' own say.
SECOND_OPINION = Candidate("sizes", "log", GAUSSIAN)
DEFAULT_GRID = (*DEFAULT_CANDIDATES, SECOND_OPINION)
