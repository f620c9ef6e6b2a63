"""Several recorded runs, of one board or of several of one kind, as one platform."""
