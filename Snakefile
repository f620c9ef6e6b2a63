# NeuralPower: from prototxt files and measurements to models, predictions and a report.
# Every rule is one command of `neuralpower`; the library does the work (docs/workflow.md).
import sys

from neuralpower.core.errors import InputError
from neuralpower.project.settings import settle
from snakemake.utils import min_version, validate

min_version("9.0")


configfile: "config/config.yaml"


SCHEMA = workflow.source_path("workflow/schemas/config.schema.yaml")
try:
    settle(config, SCHEMA)
except InputError as error:
    sys.exit(f"neuralpower: {error}")
validate(config, SCHEMA)


include: "workflow/rules/common.smk"
include: "workflow/rules/layers.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/profile.smk"
include: "workflow/rules/keep.smk"
include: "workflow/rules/fit.smk"
include: "workflow/rules/published.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/provenance.smk"


# Everything but measuring and fitting takes moments: on a cluster it stays on the head node
# (`localrule`, in each rule, so that another workflow can use this one as a module).
rule all:
    default_target: True
    input:
        rules.report.output,
        # A run that was killed before it remade one of these would leave it missing: its pages are
        # there, so that nothing else asks for it.
        REPORT_INPUTS,
        "results/provenance.json",
        "results/inputs.txt",
    localrule: True


# A platform at fault stops its own jobs only (profiles/default: keep-going); the report is then made
# of what is there and names what failed, and the next run makes it again.
onerror:
    if is_older("results/report/.complete", REPORT_INPUTS):
        shell(f"rm -f results/report/.complete; {REPORT} || test $? -eq 1")
