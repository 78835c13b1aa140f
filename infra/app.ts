// Entry of the CDK command line (cdk.json): `cdk deploy --all`.
import { App, type Environment } from 'aws-cdk-lib';
import { addBorealis } from './borealis.ts';

const account = process.env.CDK_DEFAULT_ACCOUNT;
const region = process.env.CDK_DEFAULT_REGION;
const env: Environment = account && region ? { account, region } : {};
const app = new App();
addBorealis(app, env);
app.synth();
