# a finished measurement -> measurements/<name>: a recorded platform with its checksums
rule keep:
    input:
        f"results/measurements/{PROFILE['platform']}/manifest.json",
    output:
        directory(f"measurements/{PROFILE['platform']}"),
    log:
        "results/logs/profile/keep.log",
    conda:
        "../../envs/environment.yaml"
    params:
        platform=PROFILE["platform"],
        code=code_hash("measurements"),
    shell:
        "neuralpower measurements keep results/measurements/{params.platform:q}"
        " --out {output:q}"
        " 2> {log:q}"
