"""The networks of this folder as short programs: one module a kind, one function a family."""
