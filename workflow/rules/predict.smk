# recorded whole passes -> how layers add up to a network on this platform
rule calibrate:
    input:
        models="results/models/{platform}/models.json",
        measurements=lambda wildcards: measurement_files(wildcards.platform),
        networks=lambda wildcards: measured_networks(
            wildcards.platform, ALL_NETWORKS, config["profile"]["networks"]
        ),
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
        code=code_hash("calibrate"),
    shell:
        "neuralpower calibrate {params.folder:q}"
        " --models results/models/{wildcards.platform:q}"
        " {params.networks:q}"
        " 2> {log:q}"


# network and models -> a row a layer and the total, with intervals
rule predict:
    input:
        network=lambda wildcards: network_file(wildcards.network),
        layers="results/layers/{network}.csv",
        models="results/models/{platform}/models.json",
        composition="results/models/{platform}/composition.json",
    output:
        "results/predictions/{platform}/{network}.csv",
    log:
        "results/logs/predict/{platform}/{network}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        batches=[f"--batch {batch}" for batch in config["batch_sizes"]],
        code=code_hash("predict"),
    shell:
        "neuralpower predict {input.network:q}"
        " --models results/models/{wildcards.platform:q}"
        " {params.batches}"
        " --measured-batches"
        " --out {output:q}"
        " 2> {log:q}"
