# configurations and whole networks -> measurements of the device at hand (config: profile), or of
# several like it: the sweep is dealt to shards, each of which is a job, on its own GPU where
# GPUs are named. What a job has measured is written as it goes: a killed one goes on from there.
PROFILE = config["profile"]
SHARDS = [str(shard) for shard in range(shards(PROFILE))]


wildcard_constraints:
    shard=r"\d+",


rule split_sweep:
    input:
        expand("results/sweeps/{family}.csv", family=SWEEP_FAMILIES),
    output:
        expand("results/shards/tables/{shard}.csv", shard=SHARDS),
    log:
        "results/logs/profile/split.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        shards=len(SHARDS),
        repeats=split_words(PROFILE),
        code=code_hash("shards"),
    shell:
        "neuralpower shards split {input:q}"
        " --shards {params.shards}"
        " {params.repeats:q}"
        " --out results/shards/tables"
        " 2> {log:q}"


# the power sensor of a GPU -> its period, averaging window, noise; the board's time constant
rule characterise:
    input:
        "results/shards/tables/{shard}.csv",
    output:
        "results/shards/{shard}/characterise.json",
    log:
        "results/logs/characterise/{shard}.log",
    conda:
        "../../envs/environment.yaml"
    resources:
        gpu=1,
    params:
        executor=lambda wildcards: executor_words(PROFILE, wildcards.shard),
        budget=PROFILE["characterise_budget"],
        platform=PROFILE["platform"],
        code=code_hash("characterise"),
    shell:
        "neuralpower characterise"
        " --platform {params.platform:q}"
        " {params.executor:q}"
        " --budget {params.budget:q}"
        " --out {output:q}"
        " 2> >(tee {log:q} >&2)"


rule profile:
    input:
        table="results/shards/tables/{shard}.csv",
        networks=lambda wildcards: [
            network_file(network)
            for network in share(
                PROFILE["networks"], int(wildcards.shard), len(SHARDS)
            )
        ],
        characterise=(
            "results/shards/{shard}/characterise.json" if on_gpu(PROFILE) else []
        ),
    output:
        manifest="results/shards/{shard}/manifest.json",
    log:
        "results/logs/profile/{shard}.log",
    conda:
        "../../envs/environment.yaml"
    resources:
        gpu=1,
    params:
        executor=lambda wildcards: executor_words(PROFILE, wildcards.shard),
        options=profile_words(PROFILE),
        reading=reading_of(config, map(network_file, PROFILE["networks"])),
        batches=[f"--batch {batch}" for batch in PROFILE["batch_sizes"]],
        characterise=lambda wildcards, input: (
            ["--characterise", input.characterise] if input.characterise else []
        ),
        platform=PROFILE["platform"],
        code=code_hash("profile"),
    shell:
        "neuralpower profile {input.table:q} {input.networks:q}"
        " --platform {params.platform:q}"
        " {params.executor:q}"
        " {params.options:q}"
        " {params.batches}"
        " --config <(printf '%s' {params.reading:q})"
        " {params.characterise:q}"
        " --out results/shards/{wildcards.shard}"
        " 2> >(tee {log:q} >&2)"


rule merge_shards:
    input:
        expand("results/shards/{shard}/manifest.json", shard=SHARDS),
    output:
        manifest=f"results/measurements/{PROFILE['platform']}/manifest.json",
    log:
        "results/logs/profile/merge.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        folders=[f"results/shards/{shard}" for shard in SHARDS],
        platform=PROFILE["platform"],
        code=code_hash("shards"),
    # Snakemake removes the manifest first, and a folder without one is refused as foreign.
    shell:
        "rm -rf -- results/measurements/{params.platform:q} &&"
        " neuralpower shards merge {params.folders:q}"
        " --out results/measurements/{params.platform:q} 2> {log:q}"
