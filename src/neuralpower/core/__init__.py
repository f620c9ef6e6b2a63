"""What every stage shares, and the only definition of each.

The configuration of a layer (``configuration``) and the one reader of its rows (``cells``);
families (``families``), output sizes (``geometry``) and work (``cost``), for single layers and for
arrays; targets and units (``targets``); what a configuration may be (``validity``, ``plausible``);
files, documents and the one exception for people (``files``, ``documents``, ``errors``); what other
packages bring (``plugins``); facts of the machine (``machine``).

Imports nothing of NeuralPower; every package may import it. Nothing here needs numpy when it is
imported.

To add a family: a row of ``families``, and what is unusual about it in ``geometry`` and ``cost``.
"""
