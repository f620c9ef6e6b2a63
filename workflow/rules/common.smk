# What all rules share. The questions are answered by neuralpower.project; faults are one line.
import shlex
import sys

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import network_file
from neuralpower.project.fingerprint import code_hash
from neuralpower.project.questions import (
    existing,
    measured_networks,
    measurement_files,
    measurement_folder,
    networks,
    one_of,
    platforms,
    published_of,
    put_command_on_path,
    settings,
)
from neuralpower.project.published import fetched, files_of
from neuralpower.project.shards import share

# `neuralpower` is found beside the Python that runs Snakemake, whether or not a virtual
# environment is activated.
put_command_on_path()

try:
    NETWORKS = networks(config["networks"])
    # How layers add up is learnt from all that a platform measured, whatever is reported on.
    ALL_NETWORKS = networks("all")
    PLATFORMS = platforms(config["platforms"])
    PUBLISHED = published_of(PLATFORMS)
    FETCHED = fetched()
except InputError as error:
    sys.exit(f"neuralpower: {error}")

# Platforms whose measurements are here, to be fitted and scored.
MEASURED = [platform for platform in PLATFORMS if platform not in PUBLISHED]
SWEEP_FAMILIES = sorted(config["sweep"]["families"])


wildcard_constraints:
    network=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
    platform=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
