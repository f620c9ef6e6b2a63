# recorded whole passes -> how layers add up to a network on this platform
rule calibrate:
    input:
        models="results/models/{platform}/models.json",
        measurements=lambda wildcards: measurement_files(wildcards.platform),
        networks=lambda wildcards: measured(wildcards.platform),
    output:
        "results/models/{platform}/composition.json",
    log:
        "results/logs/calibrate/{platform}.log",
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
        code=code_hash("calibrate"),
    shell:
        "neuralpower calibrate {params.folder:q}"
        " --models results/models/{wildcards.platform:q}"
        " {params.networks:q}"
        " --config <(printf '%s' {params.reading:q})"
        " 2> {log:q}"


# networks and models -> a table per network, with intervals, and one of all totals
rule predict:
    input:
        overview="results/layers.csv",
        models="results/models/{platform}/models.json",
        composition="results/models/{platform}/composition.json",
    output:
        "results/predictions/{platform}.csv",
    log:
        "results/logs/predict/{platform}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        batches=[f"--batch {batch}" for batch in config["batch_sizes"]],
        only=only(config["networks"]),
        code=code_hash("predict"),
    shell:
        "neuralpower predict --overview {input.overview:q}"
        " {params.only:q}"
        " --models results/models/{wildcards.platform:q}"
        " {params.batches}"
        " --measured-batches"
        " --out results/predictions/{wildcards.platform:q}"
        " --totals {output:q}"
        " 2> {log:q}"
