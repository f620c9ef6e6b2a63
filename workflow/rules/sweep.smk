# layer tables of a fixed list of networks -> randomised configurations, one table per family.
# The list is fixed in the configuration, and its tables are made for the sweep alone, so that a
# network dropped in changes no sweep.
NEAR = config["sweep"]["near_networks"]


rule near_layers:
    input:
        networks=[network_file(network) for network in NEAR],
    output:
        expand("results/near/{network}.csv", network=NEAR),
    log:
        "results/logs/near_layers.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        reading=reading_of(config, map(network_file, NEAR)),
        code=code_hash("layers"),
    shell:
        "neuralpower layers {input.networks:q}"
        " --config <(printf '%s' {params.reading:q})"
        " --out results/near"
        " 2> {log:q}"


rule sweep:
    input:
        layers=expand("results/near/{network}.csv", network=NEAR),
    output:
        expand("results/sweeps/{family}.csv", family=SWEEP_FAMILIES),
    log:
        "results/logs/sweep.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        settings=settings(config, "sweep"),
        code=code_hash("sweep"),
    shell:
        "neuralpower sweep"
        " --config <(printf '%s' {params.settings:q})"
        " --layers {input.layers:q}"
        " --out results/sweeps"
        " 2> {log:q}"
