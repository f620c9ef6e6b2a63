"""What programs call: ``neuralpower.__all__`` names it. The commands do the same in files.

Each name is a function or class with documented parameters and an example that runs as a test:
reading networks (``networks``), fitting and loading models (``models``), predictions
(``predicting``), and a scikit-learn estimator of a layer family (``regressor``). Results are tables
of rows (``results``); the heavy libraries load in the calls that need them, so that ``import
neuralpower`` is quick.

Imports ``core``, ``caffe``, ``onnx_in``, ``records``, ``modeling`` and ``networks``; only the top
of the package imports it.

To add a name: its module here, its line in ``neuralpower/__init__.py``, and an example in its
docstring.
"""
