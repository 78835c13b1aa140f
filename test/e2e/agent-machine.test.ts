// A machine of the agents' stack as far as it can be had without EC2: its start script with the real archive from a
// stand-in for S3, the agent started from what it installed by the unit's own command line, and a metadata service that
// says what EC2 says. Then a job runs there, a spot interruption is announced, and the machine is emptied.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findQueueUrl } from '../../cli/local/queues.ts';
import { buildAgentPackage } from '../../infra/agent-package.ts';
import { agentUserData } from '../../infra/constructs/agent-user-data.ts';
import { intakeQueueName } from '../../shared/model/names.ts';
import { type EmbeddedInstallation, processesWith, startEmbedded, until } from './harness.ts';
import { jobFile } from './jobs.ts';

const instanceId = 'i-0123456789abcdef0';
/** No file of the project is in reach of what is installed here. */
const dir = mkdtempSync(join(tmpdir(), 'borealis-machine-'));
// Users of tasks must get through.
chmodSync(dir, 0o755);
const root = join(dir, 'root');

const metadata = new Map([
  ['instance-id', instanceId],
  ['local-hostname', 'ip-10-0-0-7.us-east-1.compute.internal'],
  ['local-ipv4', '127.0.0.1'],
  ['placement/availability-zone', 'us-east-1b'],
  ['placement/region', 'us-east-1'],
  ['instance-type', 'm7g.large'],
  ['instance-life-cycle', 'spot'],
  ['ami-id', 'ami-0123456789abcdef0'],
]);

let borealis: EmbeddedInstallation;
let server: Server;
let agent: ChildProcess | undefined;
let installed: { readonly status: number | null; readonly stderr: string };

beforeAll(async () => {
  borealis = await startEmbedded([]);
  server = createServer((request, response) => {
    if (request.method === 'PUT' && request.url === '/latest/api/token') return response.end('token-1');
    if (request.headers['x-aws-ec2-metadata-token'] !== 'token-1') return response.writeHead(401).end();
    const text = metadata.get((request.url ?? '').replace('/latest/meta-data/', ''));
    return text === undefined ? response.writeHead(404).end() : response.end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { sqsEndpoint, apiUrl } = borealis.stack;
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' };
  const sqs = { endpoint: sqsEndpoint, region: 'us-east-1', credentials };
  const script = agentUserData({
    archiveBucket: 'assets',
    archiveKey: 'agent.tar.gz',
    region: 'us-east-1',
    taskUsers: ['web'],
    environment: {
      BOREALIS_CLUSTER: 'local',
      BOREALIS_API: apiUrl,
      BOREALIS_INTAKE_QUEUE_URL: await findQueueUrl(sqs, intakeQueueName('local')),
      BOREALIS_POOL: 'default',
      BOREALIS_WORK_DIR: join(dir, 'work'),
      // A user every Linux has.
      BOREALIS_TASK_USER: 'nobody',
      BOREALIS_METADATA: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    },
  });
  installed = startMachine(script);
});

afterAll(async () => {
  if (agent && agent.exitCode === null) {
    agent.kill('SIGKILL');
    await once(agent, 'exit');
  }
  for (const pid of processesWith(dir)) process.kill(pid, 'SIGKILL');
  server.close();
  await borealis.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** Runs the start script with a command `aws` that finds the archive only where the script should look for it. */
function startMachine(script: string) {
  mkdirSync(join(dir, 'bin'));
  const archive = buildAgentPackage(process.arch === 'arm64' ? 'arm64' : 'x86_64');
  const aws = [
    '#!/bin/bash',
    `[ "$1 $2 $3 $4 $5 $6" = "s3 cp --only-show-errors --region us-east-1 s3://assets/agent.tar.gz" ] || exit 9`,
    // S3 says no at first, as it may to a role that is seconds old.
    `[ -e '${dir}/asked' ] || { touch '${dir}/asked'; exit 1; }`,
    `cp '${archive}' "$7"`,
  ];
  writeFileSync(join(dir, 'bin', 'aws'), aws.join('\n'), { mode: 0o755 });
  const PATH = `${join(dir, 'bin')}:/usr/bin:/bin:/usr/sbin:/sbin`;
  return spawnSync('/bin/bash', ['--norc', '-c', script], {
    env: { PATH, ROOT: root },
    encoding: 'utf8',
    timeout: 60_000,
    // A socket would make bash believe that it is a remote login.
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** One line of the agent's unit. */
function unit(key: string): string {
  const text = readFileSync(join(root, 'etc/systemd/system/borealis-agent.service'), 'utf8');
  return new RegExp(`^${key}=(.*)$`, 'm').exec(text)?.[1] ?? '';
}

function startAgent(): ChildProcess {
  const file = readFileSync(join(root, unit('EnvironmentFile')), 'utf8');
  const environment = Object.fromEntries(
    file
      .split('\n')
      .flatMap((line) =>
        line.includes('=') ? [[line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]] : [],
      ),
  ) as Record<string, string>;
  const [command, ...args] = unit('ExecStart')
    .split(' ')
    .map((word) => (word.startsWith('/opt') ? join(root, word) : word));
  return spawn(command ?? '', args, {
    cwd: '/',
    env: {
      PATH: '/usr/bin:/bin',
      ...environment,
      AWS_ENDPOINT_URL_SQS: borealis.stack.sqsEndpoint,
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

const registered = async () => {
  const { agents } = await borealis.api.call('listAgents', { query: {} });
  return agents.find(({ agentId }) => agentId === instanceId);
};

describe('the machine of an agent', () => {
  it('installs itself from one archive, though S3 says no at first', () => {
    expect([installed.status, installed.stderr]).toEqual([0, '']);
    for (const path of [
      'bin/node',
      'lib/agent.mjs',
      'lib/runner.mjs',
      'hold-cgroup.sh',
      'guard-metadata.sh',
    ]) {
      expect(existsSync(join(root, 'opt/borealis', path)), path).toBe(true);
    }
    expect(existsSync(join(root, 'etc/systemd/system/borealis-tasks.service'))).toBe(true);
  });

  it('starts an agent named after the instance, with what EC2 says of it as attributes', async () => {
    agent = startAgent();
    const view = await until('the agent to register', registered);
    expect(view).toMatchObject({
      host: 'ip-10-0-0-7.us-east-1.compute.internal',
      pool: 'default',
      attributes: {
        zone: ['us-east-1b'],
        region: ['us-east-1'],
        'instance-type': ['m7g.large'],
        market: ['spot'],
        arch: [process.arch === 'arm64' ? 'arm64' : 'x86_64'],
        image: ['ami-0123456789abcdef0'],
        pool: ['default'],
      },
    });
  });

  it('runs a job that asks for such a machine, not as root', async () => {
    const job = `
role: demo
environment: devel
name: spotty
instances: 1
service: true
constraints: { market: spot, zone: us-east-1b }
task:
  resources: { cpu: 0.1, ramMb: 16, diskMb: 16 }
  processes: [{ name: sleep, cmdline: exec sleep 1000 }]
`;
    const created = await borealis.cli(
      'job',
      'create',
      jobFile(borealis.dir, job),
      '--wait-until',
      'RUNNING',
    );
    expect([created.code, created.stderr]).toEqual([0, expect.any(String)]);
    const [task] = (await borealis.job('spotty')).tasks;
    expect(task?.agentId).toBe(instanceId);
    const sleeping = processesWith(`BOREALIS_TASK_ID=${task?.taskId}`).filter((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('sleep'),
    );
    expect(sleeping).toHaveLength(1);
    const uid = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${sleeping[0]}/status`, 'utf8'))?.[1];
    const nobody = spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout.trim();
    expect(uid).toBe(process.getuid?.() === 0 ? nobody : String(process.getuid?.()));
  });

  it('is emptied when the metadata service announces a spot interruption', async () => {
    const time = new Date(Date.now() + 120_000).toISOString().replace(/\.\d+Z$/, 'Z');
    metadata.set('spot/instance-action', JSON.stringify({ action: 'terminate', time }));
    const drained = await until('the machine to be empty', async () => {
      const view = await registered();
      return view?.mode === 'DRAINED' ? view : undefined;
    });
    expect(drained.drain).toMatchObject({
      reason: `spot interruption: terminate at ${time}`,
      requestedBy: `agent ${instanceId}`,
      deadlineAt: new Date(Date.parse(time) - 75_000).toISOString(),
    });
    const { tasks } = await borealis.job('spotty');
    expect(tasks.map(({ generation, state }) => [generation, state])).toEqual([
      [2, 'PENDING'],
      [1, 'KILLED'],
    ]);
  });

  it('ends when its unit is stopped', async () => {
    const gone = once(agent as ChildProcess, 'exit');
    agent?.kill('SIGTERM');
    expect(await gone).toEqual([0, null]);
  });
});
