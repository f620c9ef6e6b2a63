"""A JAX model compiled ahead of time: single calls on a CPU, replays of K calls on a GPU."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import jax
from jax import lax

from neuralpower.frameworks.base import BaseWorkload
from neuralpower.frameworks.host_timer import TokenTimer
from neuralpower_jax.model import JaxModel


class CpuWorkload(BaseWorkload):
    """One executable; its outputs are written into the buffers that the set's last call filled.

    The buffers are handed over (donated): otherwise every call would get fresh memory, whose
    first touch costs more than many a layer.
    """

    def __init__(self, model: JaxModel, buffers: int, seed: int) -> None:
        self.buffers = buffers
        self.footprint_bytes = model.moved_bytes + model.parameter_bytes
        self.parameter_bytes = model.parameter_bytes
        self._parameters = tuple(model.parameters)
        self._feeds = [model.feed(seed, number) for number in range(buffers)]
        self.outputs: list[Any] = [model.spare() for _ in range(buffers)]
        self._run = compile_call(model, self._parameters, self._feeds[0], self.outputs[0])
        self._next = itertools.cycle(range(buffers)).__next__

    def call(self) -> None:
        """One forward pass over the next set of buffers."""
        number = self._next()
        made = self._run(self._parameters, self._feeds[number], self.outputs[number])
        self.outputs[number] = made
        for value in made:
            value.block_until_ready()

    def close(self) -> None:
        """Drop executable and buffers."""
        self._feeds, self.outputs, self._parameters = [], [], ()
        del self._run, self._next


class ReplayWorkload(BaseWorkload):
    """K calls over R sets of inputs and outputs in one executable: a loop of K / R rounds.

    There are barriers before and after every call, over parameters, inputs and what the set's last
    call made: XLA can neither compute a call once for all rounds, nor leave one out, nor merge
    two, nor take anything of it out of the loop. Outputs are written in place of the last.
    """

    def __init__(self, model: JaxModel, buffers: int, seed: int, rounds: int | None = None) -> None:
        self.buffers = buffers
        self.footprint_bytes = model.moved_bytes + model.parameter_bytes
        self.parameter_bytes = model.parameter_bytes
        #: What it takes of the device's memory, the spare set of a single call included.
        self.held_bytes = (buffers + 1) * model.moved_bytes + model.parameter_bytes
        self.timer = TokenTimer(lambda token: token.is_ready(), lambda t: t.block_until_ready())
        self._parameters = tuple(model.parameters)
        self._feeds = tuple(model.feed(seed, number) for number in range(buffers))
        self.outputs: Any = tuple(model.spare() for _ in range(buffers))
        self._spare = model.spare()
        self._single = compile_call(model, self._parameters, self._feeds[0], self._spare)
        self._model = model
        self._token = jax.device_put(0, model.device)
        self.calls_per_replay = 0
        self.record(buffers * (rounds or 1))

    def record(self, calls: int) -> None:
        """As ``ReplayWorkload.record``."""
        if calls != self.calls_per_replay:
            self._run = compile_rounds(self._model, calls // self.buffers, self._arguments())
            self.calls_per_replay = calls

    def replay(self) -> None:
        """As ``ReplayWorkload.replay``."""
        self.outputs, self._token = self._run(*self._arguments())
        self.timer.latest = self._token

    def call(self) -> None:
        """One call by itself, finished when this returns (host included)."""
        self._spare = self._single(self._parameters, self._feeds[0], self._spare)
        jax.block_until_ready(self._spare)

    def close(self) -> None:
        """Give the memory back."""
        jax.block_until_ready(self.outputs)
        self._feeds, self.outputs, self._parameters, self._spare = (), (), (), ()
        self.timer.latest = None
        del self._run, self._single

    def hlo(self) -> str:
        """The executable as XLA has optimised it."""
        return str(self._run.as_text())

    def _arguments(self) -> tuple[Any, ...]:
        return self._parameters, self._feeds, self.outputs, self._token


def compile_call(model: JaxModel, parameters: Any, feed: Any, spare: Any) -> Any:
    """The executable of one call: parameters, inputs and spare outputs to outputs."""

    def run(parameters: Any, feed: Any, spare: Any) -> Any:
        return model(parameters, feed)

    made = jax.jit(run, donate_argnums=2, keep_unused=True)
    return made.lower(parameters, feed, spare).compile()


def compile_rounds(model: JaxModel, rounds: int, arguments: Sequence[Any]) -> Any:
    """The executable of ``rounds`` rounds of calls over all sets: new outputs and a token."""

    def run(parameters: Any, feeds: Any, outputs: Any, token: Any) -> Any:
        def round_of_calls(_: Any, carried: Any) -> Any:
            outputs, token = carried
            made = []
            for feed, last in zip(feeds, outputs, strict=True):
                held, fed, _, token = lax.optimization_barrier((parameters, feed, last, token))
                found, token = lax.optimization_barrier((model(held, fed), token))
                made.append(found)
            return tuple(made), token

        outputs, token = lax.fori_loop(0, rounds, round_of_calls, (outputs, token))
        return outputs, token + 1

    return jax.jit(run, donate_argnums=2).lower(*arguments).compile()
