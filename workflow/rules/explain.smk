# networks and models -> what to change in each network, a table for each platform
rule explain:
    input:
        networks=[FILES.files[network].as_posix() for network in NETWORKS],
        models="results/models/{platform}/models.json",
        composition="results/models/{platform}/composition.json",
    output:
        "results/changes/{platform}.csv",
    log:
        "results/logs/explain/{platform}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        batch=config["batch_sizes"][0],
        reading=reading_of(config, [FILES.files[n].as_posix() for n in NETWORKS]),
        code=code_hash("explain"),
    shell:
        "neuralpower explain {input.networks:q}"
        " --models results/models/{wildcards.platform:q}"
        " --batch {params.batch}"
        " --config <(printf '%s' {params.reading:q})"
        " --kept results/changes/{wildcards.platform:q}"
        " --out {output:q}"
        " 2> {log:q}"
