#!/usr/bin/env bash
# A Slurm of two nodes on this host, for trying profiles/slurm: up, down.  Needs root, and Debian's
# slurmctld, slurmd, slurm-client and munge:  apt-get install slurmctld slurmd slurm-client munge
#
#   tests/cluster/one_host_slurm.sh up DIR      sets it up
#   tests/cluster/one_host_slurm.sh down DIR    stops what `up DIR` started, and nothing else
#
# Both nodes are this host on loopback, distinguished by their ports: jobs run in parallel, on the same
# cores. No accounting, no cgroups. All it writes lies below DIR, but for the link
# /etc/slurm/slurm.conf (Snakemake's jobs take SLURM_CONF away); an existing file there is respected.
set -euo pipefail

action=${1:?up or down}
dir=$(realpath -m "${2:?a folder}")
host=$(hostname -s)

write_config() {
  cat >"$dir/slurm.conf" <<EOF
ClusterName=onehost
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool.%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
MinJobAge=3600
SchedulerParameters=sched_interval=2,batch_sched_delay=1
NodeName=one NodeHostname=$host NodeAddr=127.0.0.1 Port=16818 CPUs=1 RealMemory=8000 State=UNKNOWN
NodeName=two NodeHostname=$host NodeAddr=127.0.0.1 Port=16819 CPUs=1 RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=one,two Default=YES MaxTime=60 State=UP
EOF
}

up() {
  if [ -e /etc/slurm/slurm.conf ]; then
    echo "/etc/slurm/slurm.conf exists: this host has its own Slurm" >&2
    exit 1
  fi
  mkdir -p "$dir"/{state,spool.one,spool.two}
  chmod 755 "$dir"
  head -c 1024 /dev/urandom >"$dir/munge.key"
  chmod 600 "$dir/munge.key"
  # munged refuses folders that others may write to, as /tmp is; --force lets it.
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" \
    --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munged.seed"
  write_config
  mkdir -p /etc/slurm
  ln -s "$dir/slurm.conf" /etc/slurm/slurm.conf
  export SLURM_CONF=$dir/slurm.conf
  slurmctld
  slurmd -N one
  slurmd -N two
  for _ in $(seq 60); do
    [ "$(sinfo -h -o '%D %t' | tr -d '\n')" = "2 idle" ] && break
    sleep 1
  done
  sinfo -N
  [ "$(sinfo -h -o '%D %t' | tr -d '\n')" = "2 idle" ] ||
    { echo "the nodes did not come up: see $dir/*.log" >&2; exit 1; }
}

down() {
  export SLURM_CONF=$dir/slurm.conf
  scancel --user="$(id -un)" 2>/dev/null || true
  for name in slurmd.one slurmd.two slurmctld munged; do
    [ -s "$dir/$name.pid" ] && kill "$(cat "$dir/$name.pid")" 2>/dev/null || true
  done
  [ "$(readlink /etc/slurm/slurm.conf)" != "$dir/slurm.conf" ] || rm /etc/slurm/slurm.conf
}

case $action in
  up) up ;;
  down) down ;;
  *) echo "up or down, not $action" >&2; exit 2 ;;
esac
