#!/bin/bash
# Divides the cgroup of this unit: one part for this process (a divided cgroup may hold none itself), one for the tasks.
set -euo pipefail
own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir -p "$own/holder" "$own/tasks"
echo $$ > "$own/holder/cgroup.procs"
echo '+memory +cpu +pids' > "$own/cgroup.subtree_control"
exec sleep infinity
