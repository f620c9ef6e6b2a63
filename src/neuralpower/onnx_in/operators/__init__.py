"""The operators that become layers, by what they do; importing a module registers its own."""

from __future__ import annotations

from neuralpower.onnx_in.operators import arithmetic, dense, pointwise, shaping, windows

__all__ = ["arithmetic", "dense", "pointwise", "shaping", "windows"]
