"""From layers to whole networks: predicted passes, and what explains and ranks them.

Layers are estimated one by one (``estimates``, ``traffic``) and added up (``composition``,
``adding``) by what measured passes have taught (``learning``, ``calibration``, ``launch``); a
network that was measured is predicted by models that have not seen it (``held_out``).
``explaining`` says what is costly and what a change saves, ``choosing`` ranks networks, ``reading``
holds how a network's file is read, ``text`` the words and numbers that people see.

Imports ``core``, ``caffe``, ``onnx_in``, ``modeling`` and ``records``; ``scoring``, ``reporting``
and ``api`` import it.

To add a change that ``explain`` tries: a function on a layer's message in ``explaining.CHANGES``.
"""
