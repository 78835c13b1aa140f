// Whose a connection is, from the kernel's list of sockets.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ownerIn, peerOf } from '../../../agent/observer/peer.ts';

const heading =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';

function row(local: string, remote: string, state: string, uid: number, inode: number): string {
  return `   7: ${local} ${remote} ${state} 00000000:00000000 02:000A8A2B 00000000  ${uid}        0 ${inode} 2 0000000000000000 20 4 30 10 -1`;
}

const ends = { remoteAddress: '127.0.0.1', remotePort: 40_000, localAddress: '127.0.0.1', localPort: 8080 };
const [client, server] = ['0100007F:9C40', '0100007F:1F90'];
const other = '0100007F:9C41';

describe("the kernel's list of sockets", () => {
  it('names the user of the end that is the peer, not of our own', () => {
    const table = [
      heading,
      row(server, '00000000:0000', '0A', 0, 11),
      row(server, client, '01', 0, 12),
      row(other, server, '01', 1000, 13),
      row(client, server, '01', 20_003, 14),
    ].join('\n');
    expect(ownerIn(table, ends)).toBe(20_003);
    expect(ownerIn(table, { ...ends, remotePort: 40_001 })).toBe(1000);
  });

  it.each([
    ['is empty', []],
    ['has only a heading', [heading]],
    ['is about other ports', [row(other, server, '01', 1000, 13)]],
    ['is about another address with the same ports', [row('0200007F:9C40', server, '01', 1000, 13)]],
    ['is about another service with the same ports', [row(client, '0200007F:1F90', '01', 1000, 13)]],
    ['has a socket that nobody holds open, which it lists as of root', [row(client, server, '06', 0, 0)]],
    ['is cut off', [row(client, server, '01', 1000, 13).slice(0, 40)]],
    ['is nonsense', ['a b c d e f g h i j', ':', '\0']],
  ])('names nobody if it %s', (_what, rows) => {
    expect(ownerIn(rows.join('\n'), ends)).toBeUndefined();
  });

  it.each([
    ['::1', '00000000000000000000000001000000'],
    ['2001:db8::5', 'B80D0120000000000000000005000000'],
    ['fe80::1%eth0', '000080FE000000000000000001000000'],
  ])('knows %s', (address, hex) => {
    const table = row(`${hex}:9C40`, `${hex}:1F90`, '01', 7, 14);
    expect(ownerIn(table, { ...ends, remoteAddress: address, localAddress: address })).toBe(7);
    expect(ownerIn(table, ends)).toBeUndefined();
  });

  it('knows an IPv4 connection whichever end speaks of it as IPv6', () => {
    const mapped = '0000000000000000FFFF00000100007F';
    const asV6 = { ...ends, remoteAddress: '::ffff:127.0.0.1', localAddress: '::ffff:127.0.0.1' };
    expect(ownerIn(row(client, server, '01', 7, 14), asV6)).toBe(7);
    expect(ownerIn(row(`${mapped}:9C40`, `${mapped}:1F90`, '01', 7, 14), ends)).toBe(7);
  });
});

async function listen(host: string): Promise<{ server: Server; port: number }> {
  const listening = createServer({ allowHalfOpen: true });
  listening.listen(0, host);
  await once(listening, 'listening');
  onTestFinished(() => void listening.close());
  const address = listening.address();
  return { server: listening, port: typeof address === 'object' && address ? address.port : 0 };
}

/** A process of another user connects and stays until it is told to go. */
async function connectionOf(uid: number, host: string): Promise<Socket> {
  const { server: listening, port } = await listen(host);
  const accepted = once(listening, 'connection') as Promise<[Socket]>;
  const child = spawn('/bin/bash', ['-c', `exec 3<>/dev/tcp/${host}/${port}; read -r line <&3`], {
    cwd: '/',
    env: {},
    stdio: 'ignore',
    ...(uid === process.getuid?.() ? {} : { uid, gid: uid }),
  });
  const [socket] = await accepted;
  onTestFinished(async () => {
    const gone = once(child, 'exit');
    socket.end('bye\n');
    await gone;
    socket.destroy();
  });
  return socket;
}

const users = process.getuid?.() === 0 ? [0, 1, 65_534, 20_007] : [process.getuid?.() ?? 0];

describe('the peer of a connection', () => {
  it.each(users)('is user %i', async (uid) => {
    expect(await peerOf(await connectionOf(uid, '127.0.0.1'))).toEqual({ uid });
  });

  it('is found when the server listens for IPv4 and IPv6 at once', async () => {
    const { server: listening, port } = await listen('::').catch(() => listen('0.0.0.0'));
    const accepted = once(listening, 'connection') as Promise<[Socket]>;
    const child = spawn('/bin/bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}; read -r line <&3`]);
    const [socket] = await accepted;
    expect(await peerOf(socket)).toEqual({ uid: process.getuid?.() });
    const gone = once(child, 'exit');
    socket.end('bye\n');
    await gone;
  });

  it('is elsewhere when the address is not of this machine', async () => {
    const remote = { ...ends, remoteAddress: '203.0.113.9', localAddress: '10.0.0.4' };
    expect(await peerOf(remote)).toBe('elsewhere');
  });

  it.each(['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1', '10.0.0.4'])(
    'is unknown, not elsewhere, when nothing here is connected from %s',
    async (remoteAddress) => {
      const gone = { ...ends, remoteAddress, remotePort: 1, localAddress: '10.0.0.4', localPort: 2 };
      expect(await peerOf(gone)).toBe('unknown');
    },
  );
});
