// Who is at the other end of a TCP connection, if that is a process of this machine: the kernel lists each socket with
// the user who opened it. A process can neither choose what stands there nor change it later.
import { readFile } from 'node:fs/promises';
import { endianness, networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** The two ends of a connection as Node's Socket has them; `remote` is the peer. */
export interface Ends {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/** A user of this machine, somebody on another one, or a process of this machine that cannot be told. */
export type Peer = { readonly uid: number } | 'elsewhere' | 'unknown';

const tables = ['/proc/net/tcp', '/proc/net/tcp6'] as const;
/** The list may skip a socket while others come and go. */
const attempts = 3;
const pauseMs = 20;

/** To be asked while the connection is open; never rejects. */
export async function peerOf(ends: Ends): Promise<Peer> {
  for (let attempt = 1; ; attempt++) {
    for (const table of tables) {
      const uid = ownerIn(await readFile(table, 'utf8').catch(() => ''), ends);
      if (uid !== undefined) return { uid };
    }
    if (!isThisMachine(ends)) return 'elsewhere';
    if (attempt === attempts) return 'unknown';
    await sleep(pauseMs);
  }
}

/** The user of the peer's socket by a table in the form of /proc/net/tcp; undefined if it is not there. */
export function ownerIn(table: string, ends: Ends): number | undefined {
  const [from, to] = [portText(ends.remotePort), portText(ends.localPort)];
  for (const line of table.split('\n')) {
    const [, local = '', remote = '', , , , , uid, , inode] = line.trim().split(/\s+/);
    if (!local.endsWith(from) || !remote.endsWith(to)) continue;
    // What no process holds open any more (closing, or waiting for its time to pass) is listed as root's.
    if (inode === undefined || inode === '0') continue;
    if (
      addressOf(local) === plainAddress(ends.remoteAddress) &&
      addressOf(remote) === plainAddress(ends.localAddress)
    )
      return Number(uid);
  }
  return undefined;
}

function isThisMachine({ remoteAddress, localAddress }: Ends): boolean {
  const remote = plainAddress(remoteAddress);
  if (remote === plainAddress(localAddress) || remote === '::1' || remote.startsWith('127.')) return true;
  const own = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses);
  return own.some(({ address }) => plainAddress(address) === remote);
}

const portText = (port = 0) => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;

/** `0100007F:1F90` as 127.0.0.1: four-byte words in the machine's order of bytes. */
function addressOf(text: string): string {
  const words = text.slice(0, text.indexOf(':')).match(/.{8}/g) ?? [];
  const hex = words.map((word) =>
    endianness() === 'LE' ? (word.match(/../g) ?? []).reverse().join('') : word,
  );
  const bytes = Buffer.from(hex.join(''), 'hex');
  if (bytes.length === 4) return bytes.join('.');
  return plainAddress((bytes.toString('hex').match(/.{4}/g) ?? []).join(':'));
}

/** One spelling for each address, an IPv4 address inside an IPv6 one by itself. */
function plainAddress(address = ''): string {
  const bare = address.replace(/%.*$/, '');
  if (!bare.includes(':')) return bare;
  const spelt = URL.parse(`http://[${bare}]`)?.hostname.slice(1, -1) ?? bare;
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(spelt);
  if (!mapped) return spelt;
  const [high, low] = [Number.parseInt(mapped[1] ?? '', 16), Number.parseInt(mapped[2] ?? '', 16)];
  return [high >> 8, high & 255, low >> 8, low & 255].join('.');
}
