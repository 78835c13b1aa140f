// The HTTP API: one route for each entry of the route table, so that IAM policies can name them (design D11), and a
// default route, so that an unknown path gets a problem document like every other failure. It takes the same
// authorization: an unsigned request never starts a function.
import { CfnOutput, RemovalPolicy } from 'aws-cdk-lib';
import {
  type CfnStage,
  HttpApi,
  HttpMethod,
  HttpNoneAuthorizer,
  HttpRoute,
  HttpRouteKey,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { type RouteName, routes } from '../../shared/api/routes.ts';
import { readSettings } from '../settings.ts';
import type { ServiceFunction } from './service-function.ts';

export interface HttpRoutesProps {
  readonly name: string;
  readonly handler: ServiceFunction;
  /** Whether callers must sign their requests. */
  readonly auth: 'iam' | 'none';
  /** Requests a second that each route takes; twice as many at once. `submit`: routes that bring new work. */
  readonly rates: { readonly api: number; readonly submit: number };
}

/** Routes that bring new work, by name. */
const bringsWork: ReadonlySet<string> = new Set([
  'createJob',
  'addInstances',
  'startUpdate',
  'planUpdate',
] satisfies RouteName[]);

/** The API and its routes, all answered by one function. */
export class HttpRoutes extends Construct {
  readonly api: HttpApi;

  constructor(scope: Construct, id: string, props: HttpRoutesProps) {
    super(scope, id);
    this.api = new HttpApi(this, 'Api', { apiName: props.name });
    this.logAccess();
    const submitting: HttpRoute[] = [];
    // One permission for the API instead of one for each route: a function's policy has a size limit.
    const integration = new HttpLambdaIntegration('Handler', props.handler.function, {
      scopePermissionToRoute: false,
    });
    const authorizer = props.auth === 'iam' ? new HttpIamAuthorizer() : new HttpNoneAuthorizer();
    for (const [name, route] of Object.entries(routes)) {
      const added = this.api.addRoutes({
        path: route.path,
        methods: [HttpMethod[route.method]],
        integration,
        authorizer,
      });
      if (bringsWork.has(name)) submitting.push(...added);
    }
    this.throttle(props.rates, submitting);
    new HttpRoute(this, 'Default', {
      httpApi: this.api,
      routeKey: HttpRouteKey.DEFAULT,
      integration,
      authorizer,
    });
    new CfnOutput(this, 'Url', { value: this.api.apiEndpoint, description: 'Set BOREALIS_API to this.' });
  }

  /**
   * Submissions have a rate of their own, so that a flood of them leaves agents, kills and reads alone. Beyond a rate the
   * gateway answers 429 by itself, and nothing runs.
   */
  private throttle({ api, submit }: HttpRoutesProps['rates'], submitting: readonly HttpRoute[]): void {
    const stage = this.api.defaultStage?.node.defaultChild as CfnStage;
    const limits = (rate: number) => ({ throttlingRateLimit: rate, throttlingBurstLimit: 2 * rate });
    stage.defaultRouteSettings = limits(api);
    // As CloudFormation spells it, for the library passes this map on as it is.
    const ofSubmit = { ThrottlingRateLimit: submit, ThrottlingBurstLimit: 2 * submit };
    const keys = Object.entries(routes)
      .filter(([name]) => bringsWork.has(name))
      .map(([, { method, path }]) => `${method} ${path}`);
    stage.routeSettings = Object.fromEntries(keys.map((key) => [key, ofSubmit]));
    // The stage may only name routes that exist.
    for (const route of submitting) stage.node.addDependency(route);
  }

  /** One line a request: who asked for what and how it ended. Never a body or a query. */
  private logAccess(): void {
    const logs = new LogGroup(this, 'AccessLogs', {
      retention: readSettings(this.node).logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const fields = {
      requestId: '$context.requestId',
      time: '$context.requestTime',
      route: '$context.routeKey',
      path: '$context.path',
      status: '$context.status',
      latencyMs: '$context.responseLatency',
      bytes: '$context.responseLength',
      sourceIp: '$context.identity.sourceIp',
      user: '$context.identity.userArn',
      error: '$context.error.message',
    };
    const stage = this.api.defaultStage?.node.defaultChild as CfnStage;
    stage.accessLogSettings = { destinationArn: logs.logGroupArn, format: JSON.stringify(fields) };
  }
}
