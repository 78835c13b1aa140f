// A server of the kind that hangs its clients: it takes connections and does not answer.

import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';

/** `never` takes the request and says nothing; `half` sends the head of an answer and one byte of its body. */
export type Muteness = 'never' | 'half';

export interface MuteServer {
  readonly url: string;
  /** Operations asked for; '' for requests that are none of AWS's JSON protocol. */
  readonly asked: readonly string[];
  close(): Promise<void>;
}

/** `answers`: what is answered in full all the same, by the operation (the end of x-amz-target). */
export async function startMuteServer(
  kind: Muteness = 'never',
  answers: Readonly<Record<string, (url: string) => object>> = {},
): Promise<MuteServer> {
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (!/^[A-Z]+ \S+ HTTP/.test(text)) return;
      const operation = /^x-amz-target: *\w+\.(\w+)/im.exec(text)?.[1] ?? '';
      asked.push(operation);
      const answer = answers[operation];
      if (answer) socket.write(responseOf(JSON.stringify(answer(url()))));
      else if (kind === 'half') socket.write(responseOf('{', 100));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: url(),
    asked,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function responseOf(body: string, length = body.length): string {
  return `HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: ${length}\r\n\r\n${body}`;
}
