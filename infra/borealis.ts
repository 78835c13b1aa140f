// The whole of Borealis as stacks of a CDK app, in their order. `infra/app.ts` deploys it, the embedded stack runs it,
// the tests look at it.
import type { App, Environment } from 'aws-cdk-lib';
import { readSettings } from './settings.ts';
import { ControlPlaneStack } from './stacks/control-plane.ts';
import { ObservabilityStack } from './stacks/observability.ts';
import { StateStack } from './stacks/state.ts';

/** Adds the stacks; the app's context holds the choices (infra/settings.ts). */
export function addBorealis(app: App, env: Environment = {}): void {
  const settings = readSettings(app.node);
  const common = { env, settings, analyticsReporting: false };
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
}
