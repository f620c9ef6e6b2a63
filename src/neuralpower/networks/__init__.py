"""Composition of layer predictions into networks, comparison, validation."""
