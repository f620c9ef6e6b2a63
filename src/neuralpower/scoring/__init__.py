"""How good predictions are: layers, networks, baselines, decomposition, the gate."""
