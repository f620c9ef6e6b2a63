# tables -> pages, all by one process. What each page reads is declared with the page
# (neuralpower.reporting.pages); a page that cannot be written says why and costs no other.
from neuralpower.project.questions import declared
from neuralpower.reporting.site import report_inputs

REPORT = (
    "neuralpower report results"
    f" --out results/report"
    f" --platforms {shlex.join(PLATFORMS)}"
    f" {shlex.join(['--networks', *NETWORKS] if config['networks'] != 'all' else [])}"
)
REPORT_INPUTS = declared(report_inputs(NETWORKS, PLATFORMS))


rule report:
    input:
        REPORT_INPUTS,
    output:
        index=report(
            "results/report/index.html",
            category="Overview",
            labels={"page": "index"},
            caption="../report/index.rst",
        ),
        top=["results/report/accuracy.html", "results/report/choosing.html"],
        networks=[
            report(
                f"results/report/networks/{network}.html",
                category="Networks",
                labels={"network": network},
                caption="../report/network.rst",
            )
            for network in NETWORKS
        ],
        platforms=[
            report(
                f"results/report/platforms/{platform}.html",
                category="Platforms",
                labels={"platform": platform},
                caption="../report/platform.rst",
            )
            for platform in PLATFORMS
        ],
        measurements=[
            report(
                f"results/report/measurements/{measurement}.html",
                category="Measurements",
                labels={"platform": measurement},
                caption="../report/measurement.rst",
            )
            for measurement in MEASURED
        ],
        list="results/report/pages.json",
        # Only this rule makes it: a report of a run of which a part failed is made again.
        complete=touch("results/report/.complete"),
    log:
        "results/logs/report.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        command=REPORT,
        code=code_hash("report"),
    shell:
        "{params.command} 2> >(tee {log:q} >&2) || test $? -eq 1"
