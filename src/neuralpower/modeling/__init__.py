"""Terms, objectives, selection, models, intervals, baselines and metrics."""
