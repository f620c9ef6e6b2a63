# prototxt -> layer table
rule layers:
    input:
        prototxt="prototxts/{network}.prototxt",
    output:
        "results/layers/{network}.csv",
    log:
        "results/logs/layers/{network}.log",
    conda:
        "../../envs/environment.yaml"
    params:
        unknown="--known-types" if config["unknown_layers"] == "refuse" else "",
        code=code_hash("layers"),
    shell:
        "neuralpower layers {input.prototxt:q}"
        " {params.unknown}"
        " --out {output:q}"
        " 2> {log:q}"
