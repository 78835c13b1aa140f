// `npx cdk deploy --app 'node examples/events/app.ts' -c borealis:cluster=NAME`, after Borealis itself.
import { App } from 'aws-cdk-lib';
import { addStacks } from './stacks.ts';

const { CDK_DEFAULT_ACCOUNT: account, CDK_DEFAULT_REGION: region } = process.env;
const app = new App();
addStacks(app, account && region ? { env: { account, region } } : {});
app.synth();
