// Finds or makes the folder in which tasks get their cgroups; absent where cgroup v2 can't be used.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { cgroupMount } from '../runner/cgroup.ts';

/**
 * The parent group with memory, cpu and pids handed down to its children, or undefined. 'auto' never changes the root
 * group: it uses cgroup v2 only where the machine hands the memory controller down already.
 */
export function cgroupParent(
  wish: 'auto' | { readonly parent: string } | false,
  agentId: string,
): string | undefined {
  if (wish === false) return undefined;
  if (wish !== 'auto') {
    handDown(wish.parent);
    return wish.parent;
  }
  const mount = cgroupMount();
  if (mount === undefined) return undefined;
  try {
    if (!fs.readFileSync(join(mount, 'cgroup.subtree_control'), 'utf8').includes('memory')) return undefined;
    const base = join(mount, 'borealis');
    const own = join(base, agentId);
    fs.mkdirSync(own, { recursive: true });
    handDown(base);
    handDown(own);
    return own;
  } catch {
    return undefined; // not root, or a kernel that doesn't let us
  }
}

function handDown(dir: string): void {
  const available = fs.readFileSync(join(dir, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const wanted = ['memory', 'cpu', 'pids'].filter((controller) => available.includes(controller));
  fs.writeFileSync(join(dir, 'cgroup.subtree_control'), wanted.map((name) => `+${name}`).join(' '));
}
