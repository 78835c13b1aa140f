// See task-server.ts.
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const server = createServer((request, response) => {
  if (request.method === 'POST') appendFileSync('requests', `${request.method} ${request.url}\n`);
  if (request.url === '/health') {
    const text = existsSync('health') ? readFileSync('health', 'utf8').trim() : 'ok';
    response.writeHead(text === 'broken' ? 500 : 200).end(text);
  } else if (request.url === '/quitquitquit') {
    response.end('bye');
    setTimeout(() => process.exit(0), 50);
  } else response.writeHead(404).end();
});
process.on('SIGTERM', () => {
  appendFileSync('signals', 'SIGTERM\n');
  process.exit(0);
});
server.listen(Number(process.argv[2]), '127.0.0.1', () => console.log('listening'));
