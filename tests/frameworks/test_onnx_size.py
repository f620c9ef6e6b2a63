"""How large a model may be: said in GiB, at the limit and one byte above."""

from __future__ import annotations

import numpy
import pytest

from neuralpower.core.errors import InputError
from neuralpower.frameworks.onnx.ops import graph


def built(size: int) -> graph.Built:
    arrays = {"w": numpy.zeros(size, numpy.uint8)}
    return graph.Built("net", (), arrays, (), {}, {})  # type: ignore[arg-type]


def test_a_model_at_the_limit_is_made_and_a_larger_one_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert graph.MAX_BYTES == 2**31 - 2**24
    monkeypatch.setattr(graph, "MAX_BYTES", 1000)
    assert built(1000).parameter_bytes == 1000
    assert len(built(1000).model().graph.initializer) == 1
    monkeypatch.setattr(graph, "MAX_BYTES", 2**27)
    with pytest.raises(InputError, match=r"net: 0\.2 GiB do not fit in one ONNX file"):
        built(2**27 + 2**26).model()
