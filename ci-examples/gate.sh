#!/usr/bin/env bash
# The accuracy gate in any shell: exits 0 when no model became worse, 1 otherwise.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ ! -x .venv/bin/snakemake ]; then
  python3 -m venv .venv
  .venv/bin/python -m pip install --quiet -r envs/requirements.lock
  .venv/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
fi
.venv/bin/snakemake --cores "${CORES:-1}" check_accuracy
