# Platforms learnt from public measurements: their models are committed, the measurements are not.
# committed models and accuracy -> results, in the place of fit, calibrate and evaluate
rule use_published:
    input:
        lambda wildcards: files_of(wildcards.platform),
    output:
        models="results/models/{platform}/models.json",
        composition="results/models/{platform}/composition.json",
        cross_validation="results/models/{platform}/cross_validation.csv",
        out_of_fold="results/models/{platform}/out_of_fold.csv",
        quality="results/models/{platform}/data_quality.csv",
        accuracy="results/accuracy/{platform}.json",
    log:
        "results/logs/published/{platform}.log",
    wildcard_constraints:
        platform=one_of(PUBLISHED),
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        code=code_hash("published"),
    shell:
        "neuralpower published use {wildcards.platform:q}"
        " --results results"
        " 2> {log:q}"


# measurements that `neuralpower published fetch` brought -> the same models once more
rule refit:
    input:
        manifest="results/measurements/{platform}/manifest.json",
        recipe="published/{platform}/recipe.yaml",
    output:
        "results/refit/{platform}.csv",
    log:
        "results/logs/refit/{platform}.log",
    wildcard_constraints:
        platform=one_of(FETCHED),
    conda:
        "../../envs/environment.yaml"
    params:
        code=code_hash("published"),
    shell:
        "neuralpower published refit {wildcards.platform:q}"
        " --results results"
        " --out {output:q}"
        " 2> >(tee {log:q} >&2)"


rule refit_published:
    input:
        expand("results/refit/{platform}.csv", platform=FETCHED),
    log:
        "results/logs/refit_published.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    shell:
        "test -n '{input}' ||"
        " {{ echo 'neuralpower: nothing is fetched: run neuralpower published fetch NAME'"
        " | tee {log:q} >&2; exit 1; }}"
