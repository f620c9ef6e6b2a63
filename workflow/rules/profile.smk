# configurations and whole networks -> measurements of the machine at hand (platform `local`).
# The visits are written beside the outputs as they are measured: a killed run goes on from them.
rule profile:
    input:
        tables=expand("results/sweeps/{family}.csv", family=SWEEP_FAMILIES),
        networks=expand(
            "prototxts/{network}.prototxt", network=config["profile"]["networks"]
        ),
    output:
        manifest="results/measurements/local/manifest.json",
    log:
        "results/logs/profile/local.log",
    conda:
        "../../envs/environment.yaml"
    resources:
        gpu=1,
    params:
        batches=[f"--batch {batch}" for batch in config["profile"]["batch_sizes"]],
        options=config["profile"]["options"],
        code=code_hash("profiling", "profile"),
    shell:
        "neuralpower profile {input.tables:q} {input.networks:q}"
        " --platform local"
        " --out results/measurements/local"
        " {params.batches}"
        " {params.options}"
        " 2> {log:q}"
