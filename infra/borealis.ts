// The whole of Borealis as stacks of a CDK app, in their order. `infra/app.ts` deploys it, the embedded stack runs it,
// the tests look at it.
import type { App, Environment } from 'aws-cdk-lib';
import { BorealisError } from '../shared/lib/errors.ts';
import { readSettings } from './settings.ts';
import { AgentsStack } from './stacks/agents.ts';
import { ControlPlaneStack } from './stacks/control-plane.ts';
import { ObservabilityStack } from './stacks/observability.ts';
import { StateStack } from './stacks/state.ts';

/** Adds the stacks; the app's context holds the choices (infra/settings.ts). */
export function addBorealis(app: App, env: Environment = {}): void {
  const settings = readSettings(app.node);
  const where = settings.region === undefined ? env : { ...env, region: settings.region };
  const common = { env: where, settings, analyticsReporting: false };
  const state = new StateStack(app, `borealis-${settings.cluster}-state`, {
    ...common,
    description: 'Borealis: what must not be lost (tables, queues, event bus).',
  });
  const controlPlane = new ControlPlaneStack(app, `borealis-${settings.cluster}-control-plane`, {
    ...common,
    state,
    description: 'Borealis: functions, HTTP API and what feeds them.',
  });
  new ObservabilityStack(app, `borealis-${settings.cluster}-observability`, {
    ...common,
    state,
    controlPlane,
    description: 'Borealis: dashboard and alarms.',
  });
  if (settings.agents === undefined) return;
  if (settings.agents.vpc !== 'new' && (where.account === undefined || where.region === undefined)) {
    throw new BorealisError(
      'INVALID_CONFIG',
      `context borealis:vpc is "${settings.agents.vpc}", which can only be looked up in a known account and region. Nothing was synthesised; have AWS credentials with a region at hand, or set borealis:region.`,
    );
  }
  const agents = new AgentsStack(app, `borealis-${settings.cluster}-agents`, {
    ...common,
    agents: settings.agents,
    state,
    apiId: controlPlane.exportValue(controlPlane.apiId),
    description: 'Borealis: machines of agents.',
  });
  agents.addStackDependency(controlPlane);
}
