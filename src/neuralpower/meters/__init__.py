"""Power meters behind one interface, and the one function that turns raw samples into power."""
