"""Measurements that others made, as measurement tables: recipes, readers, fetching.

May import ``core``, ``caffe`` and ``records``. Nothing in a file is ever executed: what a column
means is one of a small fixed set of formulas (``formulas``). To add a published set, write
``published/<platform>/recipe.yaml``; to add a format, write a reader that yields ``Visit`` and
``Pass`` rows and name it in ``conversion.READERS``.
"""
