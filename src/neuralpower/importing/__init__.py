"""Measurements that others made, as measurement tables: recipes, readers, fetching.

Published sets have a recipe (``recipe``), are fetched by checksum and converted (``conversion``);
logs of other tools (``logs``) become timings of a network's layers. Nothing in a file is ever
executed: what a column means is one of a small fixed set of formulas (``formulas``).

Imports ``core``, ``caffe``, ``onnx_in``, ``records`` and ``meters``; commands and ``project``
import it.

To add a published set: ``published/<platform>/recipe.yaml``. To add a format: a reader that yields
``Visit`` and ``Pass`` rows, its name in ``recipe.READERS`` and its call in ``conversion``; for a
log, a module of ``logs`` that gives ``Timing`` rows.
"""
