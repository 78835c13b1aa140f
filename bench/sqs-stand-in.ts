// A process that answers as SQS does to the calls of a roll call, for bench/roll-call.ts: it keeps what it is given and
// gives each message once.
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

interface Message {
  readonly body: string;
  readonly sender: string;
  readonly sentAt: number;
}

interface Entries {
  readonly Entries: readonly { readonly Id: string; readonly MessageBody?: string }[];
}

let waiting: Message[] = [];
let taken = 0;
const md5 = (body: string) => createHash('md5').update(body).digest('hex');
/** As long as real ones. */
const receipt = () => randomBytes(200).toString('base64');

const answers: Readonly<Record<string, (input: unknown) => object>> = {
  ReceiveMessage() {
    const some = waiting.slice(taken, taken + 10);
    taken += some.length;
    const Messages = some.map(({ body, sender, sentAt }, index) => ({
      MessageId: `00000000-0000-4000-8000-${String(taken + index).padStart(12, '0')}`,
      ReceiptHandle: receipt(),
      MD5OfBody: md5(body),
      Body: body,
      Attributes: { SentTimestamp: String(sentAt), SenderId: sender },
    }));
    return Messages.length > 0 ? { Messages } : {};
  },
  DeleteMessageBatch: (input) => ({
    Successful: (input as Entries).Entries.map(({ Id }) => ({ Id })),
    Failed: [],
  }),
  SendMessageBatch(input) {
    const Successful = (input as Entries).Entries.map(({ Id, MessageBody = '' }) => {
      const sentAt = Number((JSON.parse(MessageBody) as { probe: number }).probe);
      waiting.push({ body: MessageBody, sender: 'roll-call', sentAt });
      return { Id, MessageId: `sent-${Id}`, MD5OfMessageBody: md5(MessageBody) };
    });
    return { Successful, Failed: [] };
  },
};

const server = createServer((request, response) => {
  const operation = String(request.headers['x-amz-target']).split('.').at(-1) ?? '';
  void text(request).then((body) => {
    const answer = answers[operation]?.(JSON.parse(body));
    response.writeHead(answer ? 200 : 400, { 'content-type': 'application/x-amz-json-1.0' });
    response.end(JSON.stringify(answer ?? { __type: 'UnsupportedOperation' }));
  });
});

process.on('message', (messages: Message[]) => {
  waiting = [...waiting.slice(taken), ...messages];
  taken = 0;
  process.send?.('kept');
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
