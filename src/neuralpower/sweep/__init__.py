"""Randomised designs: which configurations to measure."""
