#!/bin/bash
# What travels to a borrowed GPU machine, into a folder that git ignores: bash pack.sh .np
# The machine needs Python 3.11 or later, PyTorch with CUDA and numpy, and no network.
set -euo pipefail
to=${1:?folder}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$to/layers" "$to/sweep" "$to/ten"
cp -r "$here/../../src" "$here/../../prototxts" "$to/"
find "$to/src" -name __pycache__ -prune -exec rm -rf {} +
# Two packages that the commands import, as pure Python: they run on any processor.
python -m pip install -q --no-deps --target "$to/site" --upgrade --only-binary :all: \
  --platform any --implementation py --abi none --python-version 3.11 "protobuf>=7.35.1" nvidia-ml-py
config=$here/../../config/gpu.yaml
for network in lenet cifar10_6conv alexnet alexnet_owt nin overfeat vgg16 googlenet resnet50; do
  neuralpower layers "$here/../../prototxts/$network.prototxt" --out "$to/layers/$network.csv"
done
neuralpower sweep --config "$config" --section first_run --layers "$to"/layers/*.csv --out "$to/sweep"
for family in conv fc pool relu lrn; do
  head -3 "$to/sweep/$family.csv" > "$to/ten/$family.csv"
done
cp "$here"/run.sh "$here"/look.py "$here"/summary.py "$to/"
du -sh "$to"
