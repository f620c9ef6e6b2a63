"""``python -m neuralpower``."""

import sys

from neuralpower.cli import main

sys.exit(main())
