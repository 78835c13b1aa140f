#!/bin/bash
# Installs the agent that lies beside this script, and starts it. May be repeated. Takes nothing from the network.
#
#   install.sh [USER ...]     users for the roles of that name; tasks of other roles run as borealis-task
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
uid=20000
for name in borealis-task "$@"; do
  id -u "$name" > /dev/null 2>&1 || useradd --uid "$uid" --user-group --no-create-home --shell /sbin/nologin "$name"
  uid=$((uid + 1))
done

systemctl daemon-reload
systemctl enable --now borealis-tasks.service
systemctl enable borealis-agent.service
systemctl restart borealis-agent.service
