# measurements -> models with their cross-validation; one job per platform, because starting the
# fitting libraries costs more than fitting a small family
rule fit:
    input:
        lambda wildcards: measurement_files(wildcards.platform),
        checked="results/checksums/{platform}.sha256",
    output:
        models="results/models/{platform}/models.json",
        cross_validation=report(
            "results/models/{platform}/cross_validation.csv",
            category="Models",
            subcategory="{platform}",
            labels={"table": "cross-validation"},
            caption="../report/cross_validation.rst",
        ),
        out_of_fold="results/models/{platform}/out_of_fold.csv",
        quality="results/models/{platform}/data_quality.csv",
    log:
        "results/logs/fit/{platform}.log",
    wildcard_constraints:
        platform=one_of(MEASURED),
    conda:
        "../../envs/environment.yaml"
    params:
        folder=lambda wildcards: measurement_folder(wildcards.platform),
        settings=settings(config, "fit"),
        code=code_hash("fit"),
    shell:
        "neuralpower fit {params.folder:q}"
        " --out results/models/{wildcards.platform:q}"
        " --config <(printf '%s' {params.settings:q})"
        " 2> {log:q}"


# error against the number of measurements; slower than the fit, so only on request
rule learning_curve:
    input:
        lambda wildcards: measurement_files(wildcards.platform),
        checked="results/checksums/{platform}.sha256",
    output:
        curve="results/models/{platform}/learning_curve.csv",
        models=temp(directory("results/learning/{platform}")),
    log:
        "results/logs/learning_curve/{platform}.log",
    wildcard_constraints:
        platform=one_of(MEASURED),
    conda:
        "../../envs/environment.yaml"
    params:
        folder=lambda wildcards: measurement_folder(wildcards.platform),
        settings=settings(config, "fit"),
        code=code_hash("fit"),
    shell:
        "neuralpower fit {params.folder:q}"
        " --out {output.models:q}"
        " --learning-curve {output.curve:q}"
        " --config <(printf '%s' {params.settings:q})"
        " 2> {log:q}"


# models and measurements -> accuracy beside the baselines
rule evaluate:
    input:
        models="results/models/{platform}/models.json",
        measurements=lambda wildcards: measurement_files(wildcards.platform),
        networks=lambda wildcards: measured(wildcards.platform),
    output:
        report(
            "results/accuracy/{platform}.json",
            category="Accuracy",
            labels={"platform": "{platform}"},
            caption="../report/accuracy.rst",
        ),
    log:
        "results/logs/evaluate/{platform}.log",
    wildcard_constraints:
        platform=one_of(MEASURED),
    conda:
        "../../envs/environment.yaml"
    params:
        folder=lambda wildcards: measurement_folder(wildcards.platform),
        networks=lambda wildcards, input: (
            ["--networks", *input.networks] if input.networks else []
        ),
        reading=lambda wildcards: reading_of(config, measured(wildcards.platform)),
        code=code_hash("evaluate"),
    shell:
        "neuralpower evaluate {params.folder:q}"
        " --models results/models/{wildcards.platform:q}"
        " --out {output:q}"
        " {params.networks:q}"
        " --config <(printf '%s' {params.reading:q})"
        " 2> {log:q}"


# accuracy against the committed baselines; every platform is compared before the rule fails
rule check_accuracy:
    input:
        accuracy=expand("results/accuracy/{platform}.json", platform=MEASURED),
    log:
        "results/logs/check_accuracy.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        settings=settings(config, "gate"),
        code=code_hash("gate"),
    shell:
        "status=0;"
        " for accuracy in {input.accuracy:q}; do"
        ' neuralpower gate "$accuracy"'
        ' --baseline "config/baseline/$(basename "$accuracy")"'
        " --config <(printf '%s' {params.settings:q})"
        " || status=1;"
        " done 2> >(tee {log:q} >&2);"
        " exit $status"
