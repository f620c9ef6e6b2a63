"""Executors, power meters, the measurement protocol and its records."""
