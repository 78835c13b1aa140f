// `npm run nag`: what cdk-nag (AwsSolutions) finds in the CDK app. Ends with 1 if anything is found.
import { nagAdvice, nagFindings } from '../test/infra/nag-findings.ts';

// With the machines of agents: the most that there can be.
const findings = nagFindings({ 'borealis:fleetMax': '5' });
for (const { rule, construct, description } of findings) {
  process.stdout.write(`${rule}\n  ${construct}\n  ${description}\n`);
}
process.stdout.write(`${findings.length} findings\n`);
if (findings.length > 0) {
  process.stdout.write(`${nagAdvice}\n`);
  process.exitCode = 1;
}
