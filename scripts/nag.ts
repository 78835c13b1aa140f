// `npm run nag`: what cdk-nag (AwsSolutions) finds in the CDK app. Ends with 1 if anything is found.
import { nagAdvice, nagFindings } from '../test/infra/nag-findings.ts';

const findings = nagFindings();
for (const { rule, construct, description } of findings) {
  process.stdout.write(`${rule}\n  ${construct}\n  ${description}\n`);
}
process.stdout.write(`${findings.length} findings\n`);
if (findings.length > 0) {
  process.stdout.write(`${nagAdvice}\n`);
  process.exitCode = 1;
}
