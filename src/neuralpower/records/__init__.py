"""A recorded folder of measurements: the typed records, and what is read from them.

Visits and the run as records with the history of their format (``visits``, ``codec``, ``journal``),
the platform's tables and manifest (``rows``, ``tables``, ``publish``, ``manifest``), checks of what
was recorded (``checks``, ``record_checks``, ``flags``, ``faults``), drift and repeatability, the
merging of runs and boards (``merging``), and tables for other tools (``export``).

Imports ``core`` and ``meters``; whoever reads measurements imports it.

To add a fact to a visit: a field of the record in ``visits`` with a default for older files; what
people see of it in ``rows``.
"""
