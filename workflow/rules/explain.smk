# networks and models -> what to change in each network, a table for each platform
rule explain:
    input:
        networks=[network_file(network) for network in NETWORKS],
        models="results/models/{platform}/models.json",
        composition="results/models/{platform}/composition.json",
    output:
        "results/changes/{platform}.csv",
    log:
        "results/logs/explain/{platform}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        batch=config["batch_sizes"][0],
        code=code_hash("explain"),
    shell:
        "neuralpower explain {input.networks:q}"
        " --models results/models/{wildcards.platform:q}"
        " --batch {params.batch}"
        " --kept results/changes/{wildcards.platform:q}"
        " --out {output:q}"
        " 2> {log:q}"
