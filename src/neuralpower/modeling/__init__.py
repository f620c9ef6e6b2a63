"""From measured layers to models of runtime, power and energy, with intervals.

Visits become one row per configuration (``visits``, ``data``); features of layers (``features``)
become terms (``terms``, ``libraries``); candidates of terms, objective and estimator are chosen by
nested cross-validation (``crossvalidation``, ``selection``, ``gram``) and fitted (``fitting``). A
model is a few equations within an anchor (``models``, ``forms``, ``anchors``), with conformal
intervals (``intervals``, ``bands``), beside baselines (``baselines``). ``platforms`` fits a whole
platform, ``transfer`` a new one from the models of others (``ways``, ``data_sheet``).

Imports ``core`` and ``records``; whoever predicts imports it.

To add a term library: a function and its name in ``libraries.LIBRARIES``; a feature: ``features``.
"""
