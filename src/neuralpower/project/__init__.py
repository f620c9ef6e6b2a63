"""What the Snakefile asks of a project: networks, platforms, fingerprints, provenance."""
