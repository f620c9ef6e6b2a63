"""A recorded folder of measurements: rows, records of visits, manifest, checks, merging."""
