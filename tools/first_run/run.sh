#!/bin/bash
# On the GPU machine: NEURALPOWER_OUT=FOLDER bash run.sh look | first [SECONDS] | go [SECONDS]. What is
# in that folder comes back; prev.tgz beside this script is what an earlier machine gave back.
# MORE: further options of profile (--no-kernels). docs/measurement.md has the plan.
mkdir -p "${NEURALPOWER_OUT:?a folder that comes back}"
NEURALPOWER_OUT=$(cd "$NEURALPOWER_OUT" && pwd)
cd "$(dirname "$0")" || exit 1
export PYTHONPATH=site:src PYTHONUNBUFFERED=1
np=${NP:-python3 -m neuralpower}
work=${WORK:-/var/tmp/neuralpower-first-run}
platform=${PLATFORM:-h100-torch-fp32}
data=$work/$platform
facts=$data/characterise.json
gpu=(--executor torch --device cuda --meter "${METER:-nvml}" --precision fp32)
mkdir -p "$work"
[ -d "$data" ] || { [ -f prev.tgz ] && tar xzf prev.tgz -C "$work"; }
trap 'tar czf "$NEURALPOWER_OUT/first_run.tgz" -C "$work" . && ls -l "$NEURALPOWER_OUT"' EXIT
# TERM: what was measured is published before the command ends.
within() { timeout -s TERM -k 25 "$@"; }

look() {
  nvidia-smi --query-gpu=name,uuid,driver_version,power.limit,clocks.sm,clocks.mem,temperature.gpu,mig.mode.current,ecc.mode.current --format=csv
  nvidia-smi --query-compute-apps=pid,used_memory --format=csv
  within 90 python3 look.py
} 2>&1

case ${1:-} in
look) look | tee "$work/look.txt" ;;
first)
  look | tee "$work/look.txt"
  within 100 $np profile ten/*.csv "${gpu[@]}" --budget 60s --warm-up 10s --platform smoke --out "$work/smoke"
  echo "ten rows: exit $?"
  within 330 $np characterise "${gpu[@]}" --platform "$platform" --out "$facts" --budget "${2:-215}s"
  echo "characterise: exit $?"
  ;;
go)
  known=()
  [ -f "$facts" ] && known=(--characterise "$facts")
  networks=()
  for network in alexnet vgg16 googlenet resnet18 resnet50 mobilenet_v1 mobilenet_v2 squeezenet_v1_1; do
    networks+=("prototxts/$network.prototxt@1,16")
  done
  within $((${2:-535} + 50)) $np profile sweep/*.csv "${networks[@]}" "${gpu[@]}" "${known[@]}" \
    --power-share "${SHARE:-0.35}" --network-repeats 2 --repeats-within 0.5 --warm-up "${WARM:-30s}" \
    --budget "${2:-535}s" --platform "$platform" --out "$data" ${MORE:-}
  echo "profile: exit $?"
  python3 summary.py "$data"
  ;;
*) echo "run.sh look | first [SECONDS] | go [SECONDS]"; exit 2 ;;
esac
