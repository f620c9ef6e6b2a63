# Are recorded measurements what their manifest says? An edited or torn file stops its platform.
rule checksums:
    input:
        lambda wildcards: measurement_files(wildcards.platform),
    output:
        "results/checksums/{platform}.sha256",
    log:
        "results/logs/checksums/{platform}.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        folder=lambda wildcards: measurement_folder(wildcards.platform),
        code=code_hash("provenance"),
    shell:
        "neuralpower provenance {params.folder:q}"
        " --strict"
        " --checksums {output:q}"
        " 2> {log:q}"


# results -> every file behind them by checksum, software, git state and configuration
rule provenance:
    input:
        list="results/report/pages.json",
    output:
        "results/provenance.json",
    log:
        "results/logs/provenance.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        settings=settings(config),
        code=code_hash("provenance"),
    shell:
        "neuralpower provenance {input.list:q}"
        " --config <(printf '%s' {params.settings:q})"
        " --out {output:q}"
        " 2> {log:q}"


# Could all that was dropped in be used? It comes last: what is at fault is said, and the run fails,
# when everything else is done.
rule inputs:
    input:
        overview="results/layers.csv",
        report="results/report/.complete",
    output:
        "results/inputs.txt",
    log:
        "results/logs/inputs.log",
    localrule: True
    conda:
        "../../envs/environment.yaml"
    params:
        only=only(config["networks"]),
        folders=FOLDERS.refused if not isinstance(config["platforms"], list) else {},
        measurements="--measurements measurements"
        * (not isinstance(config["platforms"], list)),
        code=code_hash("inputs"),
    shell:
        "neuralpower inputs {input.overview:q}"
        " {params.only:q}"
        " {params.measurements}"
        " --out {output:q}"
        " 2> {log:q}"
