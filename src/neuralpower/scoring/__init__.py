"""How good predictions are: layers, networks, baselines, decomposition, the gate.

``layers`` scores models out of fold or on fresh measurements, ``networks`` whole passes that were
predicted without them, ``network_baselines`` what simpler predictors reach, ``decomposition`` where
an error comes from, ``drivers`` and ``learning_curve`` what moves a model and how many measurements
it needs. ``accuracy`` has the types of ``accuracy.json``, ``gate`` compares one with a baseline.

Imports all packages up to ``networks``; ``reporting``, ``project`` and commands import it.

To add a score: its entry in ``accuracy``, its value in ``layers`` or ``networks``, and in ``gate``
whether it may get worse.
"""
