"""``python -m neuralpower``."""

import sys

try:
    from neuralpower.cli import main

    status = main()
except KeyboardInterrupt:  # while Python was still starting
    sys.stderr.write("neuralpower: interrupted\n")
    status = 130
sys.exit(status)
