"""Randomised, seeded designs of layer configurations."""
