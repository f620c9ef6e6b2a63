# tables -> pages. One job a page: a network dropped in adds its page and refreshes the index.
INDEX_COMMAND = "neuralpower report results --out results/report --page index"


rule network_page:
    input:
        layers="results/layers/{network}.csv",
        predictions=expand(
            "results/predictions/{platform}/{{network}}.csv", platform=PLATFORMS
        ),
        accuracy=expand("results/accuracy/{platform}.json", platform=PLATFORMS),
    output:
        report(
            "results/report/networks/{network}.html",
            category="Networks",
            labels={"network": "{network}"},
            caption="../report/network.rst",
        ),
    log:
        "results/logs/report/networks/{network}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=code_hash("report"),
    shell:
        "neuralpower report results"
        " --out results/report"
        " --page network:{wildcards.network:q}"
        " 2> {log:q}"


rule platform_page:
    input:
        accuracy="results/accuracy/{platform}.json",
        out_of_fold="results/models/{platform}/out_of_fold.csv",
        learning=lambda wildcards: existing(
            f"results/models/{wildcards.platform}/learning_curve.csv"
        ),
    output:
        report(
            "results/report/platforms/{platform}.html",
            category="Platforms",
            labels={"platform": "{platform}"},
            caption="../report/platform.rst",
        ),
        report(
            "results/report/measurements/{platform}.html",
            category="Measurements",
            labels={"platform": "{platform}"},
            caption="../report/measurement.rst",
        ),
    log:
        "results/logs/report/platforms/{platform}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        folder=lambda wildcards: measurement_folder(wildcards.platform),
        code=code_hash("report"),
    shell:
        "neuralpower report results"
        " --out results/report"
        " --page platform:{wildcards.platform:q}"
        " --measurements {params.folder:q}"
        " 2> {log:q}"


rule index_page:
    input:
        layers=expand("results/layers/{network}.csv", network=NETWORKS),
        predictions=expand(
            "results/predictions/{platform}/{network}.csv",
            platform=PLATFORMS,
            network=NETWORKS,
        ),
        accuracy=expand("results/accuracy/{platform}.json", platform=PLATFORMS),
    output:
        report(
            "results/report/index.html",
            category="Overview",
            labels={"page": "index"},
            caption="../report/index.rst",
        ),
        "results/report/accuracy.html",
        "results/report/choosing.html",
    log:
        "results/logs/report/index.log",
    conda:
        "../../envs/environment.yaml"
    params:
        code=code_hash("report"),
    shell:
        INDEX_COMMAND + " 2> {log:q}"
