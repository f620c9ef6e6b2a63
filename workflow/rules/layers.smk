# prototxts and ONNX models -> layer tables, and one table that says of every file how it is read,
# what it holds, or why it cannot be used. One process lists all; a table is made again only when
# its file has changed. The overview is what later rules depend on.
rule layers:
    input:
        networks=FILES.paths,
        facts=existing("prototxts/networks.yaml"),
    output:
        "results/layers.csv",
    log:
        "results/logs/layers.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        unknown="--known-types" if config["unknown_layers"] == "refuse" else "",
        reading=settings(config, "reading"),
        refused=FILES.refused,
        code=code_hash("layers"),
    shell:
        "neuralpower layers prototxts"
        " {params.unknown}"
        " --config <(printf '%s' {params.reading:q})"
        " --out results/layers"
        " --overview {output:q}"
        " 2> {log:q}"
