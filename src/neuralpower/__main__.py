"""``python -m neuralpower`` and the installed command: begins and ends so that Ctrl-C is a line."""

from __future__ import annotations

import sys


def run() -> int:
    """The command line; an interrupt while its modules load, or at its end, is one line too."""
    try:
        from neuralpower.cli import main

        status = main()
        _ignore_interrupts()
    except KeyboardInterrupt:
        sys.stderr.write("neuralpower: interrupted\n")
        status = 130
        _ignore_interrupts()
    return status


def _ignore_interrupts() -> None:
    """All is done and said: an interrupt while Python ends would only add a traceback."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    # A folder that somebody sent may hold modules; none of them is imported.
    if sys.path and sys.path[0] != "" and not sys.flags.safe_path:
        del sys.path[0]
    sys.exit(run())
