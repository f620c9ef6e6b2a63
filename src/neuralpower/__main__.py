"""``python -m neuralpower`` and the installed command: begins and ends so that Ctrl-C is a line."""

from __future__ import annotations

import sys


def run() -> int:
    """The command line; an interrupt while its modules are still loaded is one line too."""
    try:
        from neuralpower.cli import main

        status = main()
    except KeyboardInterrupt:
        sys.stderr.write("neuralpower: interrupted\n")
        status = 130
    import signal

    # All is done and said: an interrupt while Python ends would only add a traceback.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return status


if __name__ == "__main__":
    # A folder that somebody sent may hold modules; none of them is imported.
    if sys.path and sys.path[0] != "" and not sys.flags.safe_path:
        del sys.path[0]
    sys.exit(run())
