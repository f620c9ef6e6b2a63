"""Random designs: which configurations of layers to measure.

What a sweep is asked for (``sweep_config``), what each family varies (``families``), the drawing of
configurations with a seed (``design``), and grids (``grids``). The same configuration of a sweep
gives the same tables, to the byte.

Imports ``core``; only commands and the project's questions import it.

To add a family's sweep: its parameters in ``sweep_config`` and what they make in ``families``.
"""
