# What all rules share. The questions are answered by neuralpower.project; faults are one line.
import shlex
import sys

from neuralpower.core.errors import InputError
from neuralpower.core.network_files import find_networks, network_file
from neuralpower.project.fingerprint import code_hash
from neuralpower.project.measuring import (
    executor_words,
    on_gpu,
    profile_words,
    shards,
    split_words,
)
from neuralpower.project.questions import (
    existing,
    find_platforms,
    is_older,
    measured_networks,
    measurement_files,
    measurement_folder,
    name_local,
    networks,
    one_of,
    only,
    platforms,
    published_of,
    put_command_on_path,
    reading_of,
    settings,
)
from neuralpower.project.published import fetched, files_of
from neuralpower.project.shards import share

# `neuralpower` is found beside the Python that runs Snakemake, whether or not a virtual
# environment is activated.
put_command_on_path()

name_local(config["profile"]["platform"])
try:
    FILES = find_networks("prototxts")
    NETWORKS = networks(config["networks"], FILES)
    FOLDERS = find_platforms("measurements")
    PLATFORMS = platforms(config["platforms"], FOLDERS)
    PUBLISHED = published_of(PLATFORMS)
    FETCHED = fetched()
except InputError as error:
    sys.exit(f"neuralpower: {error}")

for line in (*FILES.ignored, *FOLDERS.ignored):
    print(f"neuralpower: {line}", file=sys.stderr)

# Platforms whose measurements are here, to be fitted and scored.
MEASURED = [platform for platform in PLATFORMS if platform not in PUBLISHED]
SWEEP_FAMILIES = sorted(config["sweep"]["families"])


# `reading_of` is given names, never a job's input: Snakemake compares no parameter that is derived
# from the input with that of the last run.
# How layers add up is learnt from all that a platform measured, whatever is reported on.
def measured(platform):
    return measured_networks(platform, FILES, config["profile"]["networks"])


wildcard_constraints:
    platform=r"[A-Za-z0-9][A-Za-z0-9._+-]*",
