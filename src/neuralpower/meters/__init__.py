"""Power meters behind one protocol, and the functions that turn raw samples into power.

The protocol and the meter of machines that have none (``meter``), what a meter on its own clock
adds (``samples.SampleSource``, ``sampler.PolledMeter``) and the base of such a meter (``polling``);
the process that polls one (``sampler``) and its log (``log``, ``store``); windows and settling
(``window``, ``settle``, ``look``): the same functions for every meter and for recorded logs. NVML
and RAPL are built in; others are packages (plugins/).

Imports ``core``; ``records``, ``profiling`` and ``scoring`` import it.

To add a meter: a class that fills ``meter.PowerMeter`` (most easily a ``polling.PollingMeter`` with
``watts``), and an entry point of the group ``neuralpower.meters`` in any package.
"""
