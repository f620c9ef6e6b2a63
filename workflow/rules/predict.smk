# prototxt and models -> a row a layer and the total, with intervals
rule predict:
    input:
        prototxt="prototxts/{network}.prototxt",
        layers="results/layers/{network}.csv",
        models="results/models/{platform}/models.json",
    output:
        "results/predictions/{platform}/{network}.csv",
    log:
        "results/logs/predict/{platform}/{network}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        batches=[f"--batch {batch}" for batch in config["batch_sizes"]],
        code=code_hash("networks", "caffe", "predict"),
    shell:
        "neuralpower predict {input.prototxt:q}"
        " --models results/models/{wildcards.platform:q}"
        " {params.batches}"
        " --out {output:q}"
        " 2> {log:q}"
