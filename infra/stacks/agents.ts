// The machines of the agents, where the installation is to make them: an Auto Scaling group of spot and on-demand
// instances, what they may do, and the follower that empties a machine before it is terminated. Optional: agents may
// also be started anywhere else by hand.
import { CfnOutput, Duration, Stack, type StackProps, Tags } from 'aws-cdk-lib';
import {
  AutoScalingGroup,
  CapacityDistributionStrategy,
  DefaultResult,
  GroupMetrics,
  LifecycleTransition,
  OnDemandAllocationStrategy,
  SpotAllocationStrategy,
} from 'aws-cdk-lib/aws-autoscaling';
import {
  GatewayVpcEndpointAwsService,
  InstanceType,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { agentQueueName } from '../../shared/model/names.ts';
import type { AgentsSettings } from '../agents-settings.ts';
import { acknowledge, grantWide } from '../constructs/acknowledge.ts';
import { AgentLifecycle } from '../constructs/agent-lifecycle.ts';
import { AgentMachines, agentLogPort } from '../constructs/agent-machines.ts';
import type { Settings } from '../settings.ts';
import type { StateStack } from './state.ts';

export interface AgentsStackProps extends StackProps {
  readonly settings: Settings;
  readonly agents: AgentsSettings;
  readonly state: StateStack;
  readonly apiId: string;
}

/** Twelve hours are the most a hook waits between heartbeats; a missed one must not hold a machine for long. */
const heartbeatInterval = Duration.minutes(5);

const groupName = (cluster: string): string => `borealis-${cluster}-agents`;

/** Machines, their rights, and what empties them. */
export class AgentsStack extends Stack {
  constructor(scope: Construct, id: string, props: AgentsStackProps) {
    super(scope, id, props);
    const { settings, agents, state } = props;
    const vpc = this.network(settings.cluster, agents);
    const group = this.group(props, vpc);
    const lifecycle = new AgentLifecycle(this, 'Lifecycle', {
      cluster: settings.cluster,
      meter: settings.meter,
      state,
      groupName: groupName(settings.cluster),
      maxDrain: Duration.minutes(agents.maxDrainMinutes),
    });
    // There before the first machine, and until the last one is gone.
    group.node.addDependency(lifecycle);
    group.addLifecycleHook('Drain', {
      lifecycleHookName: `borealis-${settings.cluster}-drain`,
      lifecycleTransition: LifecycleTransition.INSTANCE_TERMINATING,
      heartbeatTimeout: heartbeatInterval,
      // If nobody is there to empty the machine, it goes as it would without a hook.
      defaultResult: DefaultResult.CONTINUE,
    });
    new CfnOutput(this, 'GroupName', {
      value: group.autoScalingGroupName,
      description: 'Auto Scaling group of agents.',
    });
  }

  private network(cluster: string, { vpc, subnets }: AgentsSettings): IVpc {
    if (vpc !== 'new') return Vpc.fromLookup(this, 'Vpc', { vpcId: vpc }) as IVpc;
    const isPrivate = subnets === 'private';
    const made = new Vpc(this, 'Vpc', {
      vpcName: `borealis-${cluster}`,
      maxAzs: 3,
      natGateways: isPrivate ? 1 : 0,
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 20 },
        ...(isPrivate ? [{ name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 18 }] : []),
      ],
    });
    acknowledge(
      made,
      'AwsSolutions-VPC7',
      'Flow logs cost more than the rest of a small installation. Nobody comes in; whoever needs them brings a VPC.',
    );
    // The agent's archive comes by this way, and costs nothing.
    made.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    return made as IVpc;
  }

  private group({ settings, agents, state, apiId }: AgentsStackProps, vpc: IVpc): AutoScalingGroup {
    const { cluster } = settings;
    const role = this.role(cluster, state, apiId);
    const securityGroup = new SecurityGroup(this, 'Firewall', {
      vpc,
      description: 'Agents: nobody comes in, unless task logs are opened.',
      allowAllOutbound: true,
    });
    if (agents.logsFrom !== undefined) {
      securityGroup.addIngressRule(Peer.ipv4(agents.logsFrom), Port.tcp(agentLogPort), 'Task logs.');
    }
    const templates = [...agents.instanceTypes].map(([architecture, types]) => {
      const { template } = new AgentMachines(this, `Machines-${architecture.replace('_', '-')}`, {
        architecture,
        cluster,
        apiUrl: `https://${apiId}.execute-api.${this.region}.${this.urlSuffix}`,
        intakeQueueUrl: state.queues.agentReports.queueUrl,
        role,
        securityGroup,
        agents,
      });
      return { template, types };
    });
    const group = new AutoScalingGroup(this, 'Group', {
      autoScalingGroupName: groupName(cluster),
      vpc,
      vpcSubnets: {
        subnetType: agents.subnets === 'public' ? SubnetType.PUBLIC : SubnetType.PRIVATE_WITH_EGRESS,
      },
      minCapacity: agents.min,
      maxCapacity: agents.max,
      ...(agents.desired === undefined ? {} : { desiredCapacity: agents.desired }),
      // A machine that is likely to be taken away gets its successor before it goes.
      capacityRebalance: true,
      azCapacityDistributionStrategy: CapacityDistributionStrategy.BALANCED_BEST_EFFORT,
      groupMetrics: [GroupMetrics.all()],
      newInstancesProtectedFromScaleIn: false,
      mixedInstancesPolicy: {
        launchTemplate: templates[0]?.template as AgentMachines['template'],
        launchTemplateOverrides: templates.flatMap(({ template, types }) =>
          types.map((type) => ({ instanceType: new InstanceType(type), launchTemplate: template })),
        ),
        instancesDistribution: {
          onDemandBaseCapacity: agents.onDemandBase,
          onDemandPercentageAboveBaseCapacity: agents.onDemandPercentage,
          onDemandAllocationStrategy: OnDemandAllocationStrategy.PRIORITIZED,
          spotAllocationStrategy: SpotAllocationStrategy.PRICE_CAPACITY_OPTIMIZED,
        },
      },
    });
    acknowledge(
      group,
      'AwsSolutions-AS3',
      'What comes and goes is told by the control plane: agents that register, drain and are lost are events and alarms.',
    );
    acknowledge(
      group,
      'AwsSolutions-EC26',
      'The disk is encrypted by the launch template; the rule cannot read what stands there as a reference.',
    );
    Tags.of(group).add('borealis:cluster', cluster);
    return group;
  }

  /**
   * What an agent does and nothing else: ask what it should run, read its commands, report. Which agent a machine may
   * speak for is decided by its role session, which EC2 names after the instance (shared/domain/agent/identity.ts).
   */
  private role(cluster: string, state: StateStack, apiId: string): Role {
    const role = new Role(this, 'Role', {
      roleName: `borealis-${cluster}-agents-${this.region}`,
      assumedBy: new ServicePrincipal('ec2.amazonaws.com'),
      description: 'Machines of Borealis agents.',
    });
    grantWide(role, {
      actions: ['execute-api:Invoke'],
      resources: [
        this.formatArn({
          service: 'execute-api',
          resource: apiId,
          resourceName: '$default/GET/agents/*/tasks',
        }),
      ],
      because:
        'Machines are made while the group runs, so their ids are not known; the API answers an agent only about itself.',
    });
    grantWide(role, {
      actions: ['sqs:GetQueueUrl', 'sqs:ReceiveMessage', 'sqs:DeleteMessage'],
      resources: [this.formatArn({ service: 'sqs', resource: agentQueueName(cluster, 'i-*') })],
      because:
        "Queues are named after machines, whose ids are not known; each queue's own policy lets only its agent read.",
    });
    role.addToPolicy(
      new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [state.queues.agentReports.queueArn] }),
    );
    role.addToPolicy(
      new PolicyStatement({
        // The agent finds this queue by its name.
        actions: ['sqs:GetQueueUrl', 'sqs:SendMessage'],
        resources: [state.heartbeats.queueArn],
      }),
    );
    return role;
  }
}
