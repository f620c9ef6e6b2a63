"""What every stage shares: configurations, families, costs, files, faults."""
