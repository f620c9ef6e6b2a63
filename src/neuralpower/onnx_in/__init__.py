"""ONNX models as networks: a graph becomes Caffe layers, and so the same layer table.

A file is read within bounds (``model``), shapes are inferred (``shapes``), constants folded
(``folding``), and each operator translated (``translator``, ``operators``): to a layer of Caffe
where one computes the same, else to a row with its ONNX name, its shape and its work. ``loading``
takes a prototxt and an ONNX model alike.

Imports ``core`` and ``caffe``; ``networks``, ``scoring``, ``importing`` and ``api`` import it.

To add an operator: a function with ``@operator(...)`` in a module of ``operators``; it returns
``False`` where no layer computes the same.
"""
