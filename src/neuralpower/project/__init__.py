"""What the Snakefile asks of a project: networks, platforms, fingerprints, provenance.

Questions whose answers decide on jobs (``questions``, ``measuring``, ``settings``), checksums of
the code that a rule runs (``fingerprint``, from the imports), the chain from a page back to
measurements (``provenance``, ``crate``), published platforms and their cards (``published``,
``card``), shards of a cluster, and the files of a new project (``starter``).

Imports every package but ``reporting`` and ``api``; the Snakefile and commands import it.

To add a stage of the workflow: a rule file in ``workflow/rules`` that calls a command, and the
command in the rule's ``code_hash``; provenance reads the same edges.
"""
