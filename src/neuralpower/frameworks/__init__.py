"""What runs layers and networks: one protocol, one package per framework.

The protocol of an executor and its workloads (``protocol``, ``replay``), the base classes
(``base``) and the registry (``registry``). ``program`` makes a layer or a network the steps that
every framework translates: typed operations on named blobs. ``inputs``, ``weights`` and
``caffemodel`` give the same numbers to all. ``onnx`` and ``torch`` have a form per operation in
``ops``; JAX is a separate package (plugins/jax).

Imports ``core`` and ``caffe``; ``profiling`` and ``scoring`` import it. A framework is imported
only when its executor is asked for.

To add an operation: a form in each framework (``layer_registry``). To add a framework: a class that
fills ``protocol.Executor`` (most easily on ``base.BaseExecutor``), and an entry point of the group
``neuralpower.executors`` in any package (docs/guides/extending.md).
"""
