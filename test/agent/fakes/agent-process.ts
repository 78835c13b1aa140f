// An agent in a process of its own, so that a test can SIGKILL it: agent-process.ts <work dir> <control dir>
import { runAgent } from '../../../agent/main.ts';
import { fileTransport } from './file-transport.ts';

const [workDir, controlDir] = process.argv.slice(2) as [string, string];
const agent = await runAgent({
  agentId: 'agent-1',
  cluster: 'test',
  api: 'http://127.0.0.1:9',
  intakeQueueUrl: 'http://127.0.0.1:9/intake',
  workDir,
  transport: fileTransport(controlDir),
  capacity: { gpus: [] },
  timings: { flushMs: 5, reconcileMs: 100, killBudgetMs: 3000 },
});
process.on('SIGTERM', () => void agent.stop().then(() => process.exit(0)));
process.stdout.write('ready\n');
