#!/bin/bash
# On the GPU machine: NEURALPOWER_OUT=FOLDER bash run.sh look | first [SECONDS] | go [SECONDS] |
# all [SECONDS]. What is in that folder comes back; prev.tgz beside this script is what an earlier
# machine gave back. MORE: further options of profile, in place of what `look` advises.
# docs/measurement.md has the plan.
mkdir -p "${NEURALPOWER_OUT:?a folder that comes back}"
NEURALPOWER_OUT=$(cd "$NEURALPOWER_OUT" && pwd)
cd "$(dirname "$0")" || exit 1
export PYTHONPATH=site:src PYTHONUNBUFFERED=1
np=${NP:-python3 -m neuralpower}
work=${WORK:-/var/tmp/neuralpower-first-run}
# Named after the board: "NVIDIA H100 80GB HBM3" gives h100-pytorch-fp32.
board=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -1 | grep -oE '[A-Z]+[0-9]+[A-Z]*' | head -1 | tr 'A-Z' 'a-z')
platform=${PLATFORM:-${board:-gpu}-pytorch-fp32}
data=$work/$platform
facts=$data/characterise.json
advice=$work/advice.txt
gpu=(--executor torch --device cuda --meter "${METER:-nvml}" --precision fp32)
mkdir -p "$work"
[ -d "$data" ] || { [ -f prev.tgz ] && tar xzf prev.tgz -C "$work"; }
trap 'tar czf "$NEURALPOWER_OUT/first_run.tgz" -C "$work" . && ls -l "$NEURALPOWER_OUT"' EXIT
# TERM: what was measured is published before the command ends.
within() { timeout -s TERM -k 25 "$@"; }

look() {
  nvidia-smi --query-gpu=name,uuid,driver_version,power.limit,clocks.sm,clocks.mem,temperature.gpu,mig.mode.current,ecc.mode.current --format=csv
  nvidia-smi --query-compute-apps=pid,used_memory --format=csv
  nvidia-smi -q > "$work/nvidia-smi.txt"
  within 90 python3 look.py "$advice"
} 2>&1

# A first try of a few rows: SECONDS ROWS-A-FAMILY
ten_rows() {
  mkdir -p "$work/ten"
  for table in ten/*.csv; do head -$(($2 + 1)) "$table" > "$work/$table"; done
  within $(($1 + 40)) $np profile "$work"/ten/*.csv prototxts/lenet.prototxt@1 "${gpu[@]}" \
    --twice 0 --thrice 0 --network-repeats 1 --anchor-every 20 --budget "$1s" --warm-up 5s \
    --platform smoke --out "$work/smoke" ${MORE:-}
}

facts_of_the_board() {
  within $(($1 + 60)) $np characterise "${gpu[@]}" --platform "$platform" --out "$facts" \
    --budget "$1s" --anchors "${2:-20}"
  echo "characterise: exit $?"
}

measure() {
  known=()
  [ -f "$facts" ] && known=(--characterise "$facts")
  networks=()
  for network in ${NETWORKS:-alexnet vgg16 googlenet resnet18 resnet50 nin overfeat mobilenet_v1 mobilenet_v2 squeezenet_v1_1 cifar10_6conv lenet}; do
    networks+=("prototxts/$network.prototxt@1,16")
  done
  : "${MORE=$(cat "$advice" 2>/dev/null)}"
  within $(($1 + 50)) $np profile sweep/*.csv "${networks[@]}" "${gpu[@]}" "${known[@]}" \
    --power-share "${SHARE:-0.35}" --network-repeats "${AGAIN:-2}" --twice "${TWICE:-0.2}" --thrice "${THRICE:-0.05}" \
    --repeats-within "${EARLY:-0.5}" --anchor-every "${ANCHOR:-12}" --warm-up "${WARM:-30s}" \
    --budget "$1s" --platform "$platform" --out "$data" --progress $MORE
  echo "profile: exit $?"
  python3 summary.py "$data"
}

case ${1:-} in
look) look | tee "$work/look.txt" ;;
first)
  look | tee "$work/look.txt"
  ten_rows 60 2
  echo "ten rows: exit $?"
  facts_of_the_board "${2:-215}"
  ;;
go) measure "${2:-535}" ;;
all)
  # Everything in one call of so many seconds, where time is very short; stops where nothing works.
  look | tee "$work/look.txt"
  echo "after $SECONDS s"
  MORE=${MORE-$(cat "$advice")}
  ten_rows 24 1 || { rm -rf "$work/smoke"; MORE=--no-kernels; ten_rows 24 1; } \
    || { echo "ten rows: FAILED"; exit 1; }
  echo "ten rows done after $SECONDS s"
  facts_of_the_board "${BOARD:-95}" 8
  echo "after $SECONDS s"
  measure $((${2:-575} - SECONDS - 12))
  echo "after $SECONDS s"
  ;;
*) echo "run.sh look | first [SECONDS] | go [SECONDS] | all [SECONDS]"; exit 2 ;;
esac
