#!/bin/bash
# Installs the agent that lies beside this script, and starts it. May be repeated. Takes nothing from the network.
#
#   install.sh [USER ...]     users for the roles of that name; each other role gets one of borealis-task-0 to -49 to itself
#
# ROOT (default /) is where to install; with any other value nothing is started.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-/}
root=${root%/}

install -d -m 755 "$root/opt/borealis/bin" "$root/opt/borealis/lib" "$root/etc/systemd/system"
install -m 755 "$here/bin/node" "$root/opt/borealis/bin/node.new"
mv -f "$root/opt/borealis/bin/node.new" "$root/opt/borealis/bin/node"
install -m 644 "$here"/lib/*.mjs "$root/opt/borealis/lib/"
install -m 755 "$here/hold-cgroup.sh" "$here/guard-metadata.sh" "$root/opt/borealis/"
install -m 644 "$here/borealis-tasks.service" "$here/borealis-agent.service" "$root/etc/systemd/system/"
[ -z "$root" ] || exit 0

# Users of tasks have uids of their own range, by which guard-metadata.sh knows them.
add_user() {
  id -u "$2" > /dev/null 2>&1 || useradd --uid "$1" --user-group --no-create-home --shell /sbin/nologin "$2"
}
uid=20000
for name in borealis-task "$@"; do
  add_user "$uid" "$name"
  uid=$((uid + 1))
done
for number in {0..49}; do
  add_user "$((29000 + number))" "borealis-task-$number"
done

systemctl daemon-reload
systemctl enable --now borealis-tasks.service
systemctl enable borealis-agent.service
systemctl restart borealis-agent.service
