# prototxt or ONNX model -> layer table
rule layers:
    input:
        network=lambda wildcards: network_file(wildcards.network),
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
        "neuralpower layers {input.network:q}"
        " {params.unknown}"
        " --out {output:q}"
        " 2> {log:q}"
