"""Prototxt files: from text to a table of layers, and each layer to a typed operation.

The schema (``caffe.proto``, compiled by tools/compile_schema.py), the text format (``textformat``,
``scalars``, ``unknown``), older formats and other spellings (``legacy``, ``upgrade``, ``aliases``),
phases (``rules``), the layers set up one after the other (``build``), networks and their rows
(``network``). ``layers`` has a module per kind of layer: shapes, parameters, work and the operation
of each type. ``resolve`` gives a layer's operation, ``single`` makes a layer of a configuration.

Imports ``core``. No numpy: ``neuralpower layers`` runs without it.

To add a layer type: its parameters in ``caffe.proto``, a shape function and an operation in a
module of ``layers``, then tools/compile_schema.py (docs/guides/extending.md).
"""
