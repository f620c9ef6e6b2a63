"""Which executors there are, by name; a framework is imported only when it is asked for.

To add one: an entry point of the group ``neuralpower.executors`` whose object is called with
``(threads, options)`` and gives a ``protocol.Executor``, in any installed package.
"""

from __future__ import annotations

from neuralpower.core.plugins import installed, load
from neuralpower.frameworks.protocol import Executor, ExecutorOptions

GROUP = "neuralpower.executors"
#: Ours, as in pyproject.toml.
BUILT_IN = {
    "onnxruntime": "neuralpower.frameworks.onnx.executor:make",
    "torch": "neuralpower.frameworks.torch.executor:TorchExecutor",
}
#: How to install ours that are separate packages.
HINTS = {"jax": "install it from a checkout of NeuralPower, pip install ./plugins/jax"}


def executors() -> tuple[str, ...]:
    """The names that ``make_executor`` knows here."""
    return tuple(installed(GROUP, BUILT_IN))


def make_executor(name: str, threads: int, options: ExecutorOptions | None = None) -> Executor:
    """The executor of a name; its framework is imported only here.

    Raises ``InputError`` for a name that is not installed, and what the executor refuses.
    """
    factory = load("executor", name, installed(GROUP, BUILT_IN), HINTS)
    made: Executor = factory(threads, options or ExecutorOptions())
    return made
