# layer tables of a fixed list of networks -> randomised configurations, one table a family.
# The list is fixed in the configuration, so that a network dropped in does not change the sweep.
rule sweep:
    input:
        layers=expand(
            "results/layers/{network}.csv", network=config["sweep"]["near_networks"]
        ),
    output:
        expand("results/sweeps/{family}.csv", family=SWEEP_FAMILIES),
    log:
        "results/logs/sweep.log",
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
