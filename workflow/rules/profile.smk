# configurations and whole networks -> measurements of the machine at hand (platform `local`),
# or of several like it: the sweep is dealt to shards, each of which is a job of minutes.
# The visits are written beside the outputs as they are measured: a killed job goes on from them.
SHARDS = [str(shard) for shard in range(config["profile"]["shards"])]


rule split_sweep:
    input:
        expand("results/sweeps/{family}.csv", family=SWEEP_FAMILIES),
    output:
        expand("results/shards/tables/{shard}.csv", shard=SHARDS),
    log:
        "results/logs/profile/split.log",
    conda:
        "../../envs/environment.yaml"
    params:
        shards=len(SHARDS),
        code=code_hash("shards"),
    shell:
        "neuralpower shards split {input:q}"
        " --shards {params.shards}"
        " --out results/shards/tables"
        " 2> {log:q}"


rule profile:
    input:
        table="results/shards/tables/{shard}.csv",
        networks=lambda wildcards: [
            network_file(network)
            for network in share(
                config["profile"]["networks"], int(wildcards.shard), len(SHARDS)
            )
        ],
    output:
        manifest="results/shards/{shard}/manifest.json",
    log:
        "results/logs/profile/{shard}.log",
    wildcard_constraints:
        shard=r"\d+",
    conda:
        "../../envs/environment.yaml"
    resources:
        gpu=1,
    params:
        batches=[f"--batch {batch}" for batch in config["profile"]["batch_sizes"]],
        reading=reading_of(config, map(network_file, config["profile"]["networks"])),
        options=config["profile"]["options"],
        code=code_hash("profile"),
    shell:
        "neuralpower profile {input.table:q} {input.networks:q}"
        " --platform local"
        " --out results/shards/{wildcards.shard}"
        " --twice 0 --thrice 0"
        " {params.batches}"
        " --config <(printf '%s' {params.reading:q})"
        " {params.options}"
        " 2> {log:q}"


rule merge_shards:
    input:
        expand("results/shards/{shard}/manifest.json", shard=SHARDS),
    output:
        manifest="results/measurements/local/manifest.json",
    log:
        "results/logs/profile/merge.log",
    conda:
        "../../envs/environment.yaml"
    params:
        folders=[f"results/shards/{shard}" for shard in SHARDS],
        code=code_hash("shards"),
    shell:
        "neuralpower shards merge {params.folders:q}"
        " --out results/measurements/local"
        " 2> {log:q}"
