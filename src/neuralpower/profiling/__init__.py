"""The measurement protocol: which visits a run makes, and how each is timed and powered.

The plan (``design``, ``subset``, ``estimate``), timing on the host's clock and by a device's
replays (``host_timing``, ``device_timing``, one rule to stop: ``stopping``), power of both
(``host_power``, ``device_power``), a visit and the order of visits (``visit``, ``visiting``), the
whole run (``run``, ``bench``, ``warm_up``), and what is measured before a sweep (``characterise``,
``board``, ``probe``).

Imports ``core``, ``caffe``, ``records``, ``frameworks`` and ``meters``; commands and ``scoring``
import it. It knows executors and meters by their protocols only.

To add a rule of measuring: a field of the protocol it belongs to (``TimingProtocol``,
``ReplayProtocol``, ``AdaptiveProtocol``), which becomes part of a run's identity by itself.
"""
