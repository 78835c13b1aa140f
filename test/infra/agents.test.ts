// The optional stack of the agents' machines: what the template says, and every setting that is refused.
import { readFileSync } from 'node:fs';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { agentsSettingRows } from '../../infra/agents-settings.ts';
import { addBorealis } from '../../infra/borealis.ts';
import { agentLifecycleEnvSchema } from '../../shared/api/env.ts';
import { routes } from '../../shared/api/routes.ts';

const account = { account: '111122223333', region: 'eu-west-1' };

function synth(
  context: Readonly<Record<string, string>>,
  env: { account?: string; region?: string } = account,
) {
  const keys = Object.entries(context).map(([name, value]) => [`borealis:${name}`, value]);
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [], 'borealis:cluster': 'test', ...Object.fromEntries(keys) },
    analyticsReporting: false,
  });
  addBorealis(app, env);
  return app.synth();
}

function agentsTemplate(context: Readonly<Record<string, string>> = {}): Template {
  const { template } = synth({ fleetMax: '5', ...context }).getStackByName('borealis-test-agents');
  return Template.fromJSON(template as Record<string, unknown>);
}

const template = agentsTemplate();

describe('the agents stack', () => {
  it('is not there unless machines are asked for', () => {
    expect(synth({}).stacks.map(({ stackName }) => stackName)).not.toContain('borealis-test-agents');
  });

  it('makes machines with IMDSv2 only, an encrypted gp3 disk, and no key to log in with', () => {
    template.resourceCountIs('AWS::EC2::LaunchTemplate', 1);
    template.hasResourceProperties('AWS::EC2::LaunchTemplate', {
      LaunchTemplateData: {
        MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 1 },
        BlockDeviceMappings: [
          { Ebs: { Encrypted: true, VolumeType: 'gp3', VolumeSize: 50, DeleteOnTermination: true } },
        ],
        KeyName: Match.absent(),
      },
    });
  });

  it('mixes spot and on-demand, and replaces spot machines before they go', () => {
    template.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', {
      AutoScalingGroupName: 'borealis-test-agents',
      MinSize: '0',
      MaxSize: '5',
      DesiredCapacity: Match.absent(),
      CapacityRebalance: true,
      MixedInstancesPolicy: {
        InstancesDistribution: {
          OnDemandBaseCapacity: 1,
          OnDemandPercentageAboveBaseCapacity: 0,
          SpotAllocationStrategy: 'price-capacity-optimized',
        },
      },
    });
  });

  it('holds terminations up until the machine is empty, and lets them go when nobody answers', () => {
    template.hasResourceProperties('AWS::AutoScaling::LifecycleHook', {
      LifecycleTransition: 'autoscaling:EC2_INSTANCE_TERMINATING',
      HeartbeatTimeout: 300,
      DefaultResult: 'CONTINUE',
    });
    const rules = Object.values(template.findResources('AWS::Events::Rule'));
    const sources: string[] = rules.map(({ Properties }) => {
      const { EventPattern } = Properties as { EventPattern: { 'detail-type': [string] } };
      return EventPattern['detail-type'][0];
    });
    expect(sources.toSorted()).toEqual([
      'EC2 Instance Rebalance Recommendation',
      'EC2 Instance-terminate Lifecycle Action',
      'EC2 Spot Instance Interruption Warning',
    ]);
    const [group] = Object.values(template.findResources('AWS::AutoScaling::AutoScalingGroup'));
    expect((group as { DependsOn: string[] }).DependsOn).toContainEqual(
      expect.stringContaining('LifecycleFollower'),
    );
  });

  it('gives the follower every variable it asks for', () => {
    const [follower] = Object.values(template.findResources('AWS::Lambda::Function'));
    const environment = follower?.Properties.Environment as
      | { Variables: Record<string, unknown> }
      | undefined;
    const Variables = environment?.Variables ?? {};
    expect(Object.keys(Variables).toSorted()).toEqual(
      [...Object.keys(agentLifecycleEnvSchema.shape), 'NODE_OPTIONS'].toSorted(),
    );
    expect(Variables.MAX_DRAIN_SECS).toBe('3600');
  });

  it('lets a machine ask what it should run, read its commands and report, and nothing else', () => {
    const policies = Object.values(template.findResources('AWS::IAM::Policy')).map(
      ({ Properties }) => Properties,
    );
    const own = policies.find((policy) => JSON.stringify(policy).includes('execute-api:Invoke')) as {
      PolicyDocument: { Statement: { Action: string | string[]; Resource: unknown }[] };
    };
    const actions = own.PolicyDocument.Statement.flatMap(({ Action }) => Action);
    expect([...new Set(actions)].filter((action) => !action.startsWith('s3:')).toSorted()).toEqual([
      'execute-api:Invoke',
      'sqs:DeleteMessage',
      'sqs:GetQueueUrl',
      'sqs:ReceiveMessage',
      'sqs:SendMessage',
    ]);
    expect(
      actions.filter((action) => action.startsWith('s3:')).every((action) => /^s3:(Get|List)/.test(action)),
    ).toBe(true);
    const text = JSON.stringify(own.PolicyDocument);
    expect(text).toContain('/$default/GET/agents/*/tasks');
    expect(routes.desiredTasks.path).toBe('/agents/{agentId}/tasks');
    expect(text).toContain('borealis-test-agent-i-*');
    for (const { Resource } of own.PolicyDocument.Statement) expect(Resource).not.toBe('*');
  });

  it('lets nobody in, unless task logs are opened', () => {
    template.hasResourceProperties('AWS::EC2::SecurityGroup', { SecurityGroupIngress: Match.absent() });
    agentsTemplate({ logsFrom: '10.0.0.0/8' }).hasResourceProperties('AWS::EC2::SecurityGroup', {
      SecurityGroupIngress: [{ CidrIp: '10.0.0.0/8', FromPort: 7070, ToPort: 7070 }],
    });
  });

  it('follows the settings', () => {
    const other = agentsTemplate({
      architecture: 'both',
      instanceTypes: 'c7g.xlarge,c7i.xlarge',
      fleetMin: '2',
      fleetDesired: '3',
      onDemandBase: '2',
      onDemandPercentage: '50',
      diskGb: '200',
      subnets: 'private',
      maxDrainMinutes: '10',
      pool: 'build',
      taskUsers: 'web,ads',
    });
    other.resourceCountIs('AWS::EC2::LaunchTemplate', 2);
    other.resourceCountIs('AWS::EC2::NatGateway', 1);
    other.hasResourceProperties('AWS::AutoScaling::AutoScalingGroup', {
      MinSize: '2',
      DesiredCapacity: '3',
      MixedInstancesPolicy: {
        InstancesDistribution: { OnDemandBaseCapacity: 2, OnDemandPercentageAboveBaseCapacity: 50 },
        LaunchTemplate: { Overrides: [{ InstanceType: 'c7g.xlarge' }, { InstanceType: 'c7i.xlarge' }] },
      },
    });
    const text = JSON.stringify(other.toJSON());
    expect(text).toContain('BOREALIS_POOL=build');
    expect(text).toContain('install.sh\\" web ads');
    expect(text).toContain('"MAX_DRAIN_SECS":"600"');
    template.resourceCountIs('AWS::EC2::NatGateway', 0);
  });

  it('takes a network that is there', () => {
    const given = agentsTemplate({ vpc: 'vpc-0123456789abcdef0' });
    given.resourceCountIs('AWS::EC2::VPC', 0);
    given.hasResourceProperties('AWS::EC2::SecurityGroup', { VpcId: Match.anyValue() });
  });

  it('goes to the region that is named', () => {
    const [first] = synth({ fleetMax: '1', region: 'us-west-2' }).stacks;
    expect(first?.environment.region).toBe('us-west-2');
  });
});

describe('a setting', () => {
  it.each<[Record<string, string>, string]>([
    [
      { region: 'Ireland' },
      'borealis:region is "Ireland"; it must be the name of a region, such as eu-west-1',
    ],
    [{ fleetMax: 'many' }, 'borealis:fleetMax is "many"; it must be a whole number from 0 to 5000'],
    [{ fleetMax: '-1' }, 'borealis:fleetMax is "-1"'],
    [{ fleetMin: '3' }, 'borealis:fleetMin is "3"; it must be a whole number from 0 to 0'],
    [{ fleetMax: '2', fleetMin: '3' }, 'borealis:fleetMin is "3"; it must be a whole number from 0 to 2'],
    [
      { fleetMax: '4', fleetMin: '2', fleetDesired: '1' },
      'borealis:fleetDesired is "1"; it must be a whole number from 2 to 4',
    ],
    [{ architecture: 'mips' }, 'borealis:architecture is "mips"; it must be arm64, x86_64, both'],
    [{ instanceTypes: 'large' }, '"large" is no instance type; write such as m7g.large,c7g.large'],
    [{ instanceTypes: 'm7i.large' }, 'm7i.large is x86_64, but borealis:architecture is arm64'],
    [
      { instanceTypes: 'm7g.large', architecture: 'both' },
      'none of them is x86_64, which borealis:architecture asks for',
    ],
    [{ onDemandBase: '1.5' }, 'borealis:onDemandBase is "1.5"; it must be a whole number from 0 to 5000'],
    [
      { onDemandPercentage: '101' },
      'borealis:onDemandPercentage is "101"; it must be a whole number from 0 to 100',
    ],
    [{ vpc: 'mine' }, 'borealis:vpc is "mine"; it must be new, vpc-...'],
    [{ subnets: 'hidden' }, 'borealis:subnets is "hidden"; it must be public, private'],
    [{ diskGb: '4' }, 'borealis:diskGb is "4"; it must be a whole number from 8 to 16384'],
    [{ pool: 'a b' }, 'borealis:pool is "a b"; it must be 1 to 64 of letters, digits, _ and -'],
    [{ taskUsers: 'web ads' }, 'borealis:taskUsers is "web ads"; it must be role names with commas'],
    [{ taskUsers: 'web,root' }, 'borealis:taskUsers is "web,root"; tasks never run as root'],
    [{ maxDrainMinutes: '1' }, 'borealis:maxDrainMinutes is "1"; it must be a whole number from 2 to 2880'],
    [
      { logsFrom: 'everywhere' },
      'borealis:logsFrom is "everywhere"; it must be range of addresses such as 10.0.0.0/8',
    ],
    [{ fleetmax: '1' }, 'borealis:fleetmax is not known; known are'],
  ])('%j fails the synth and says why', (context, message) => {
    expect(() => synth(context)).toThrow(message);
  });

  it('that needs an account says so where none is known', () => {
    expect(() => synth({ fleetMax: '1', vpc: 'vpc-0123456789abcdef0' }, {})).toThrow(
      /borealis:vpc is "vpc-0123456789abcdef0", which can only be looked up in a known account/,
    );
  });

  it.each(agentsSettingRows.map((row) => [row.name, row] as const))(
    '%s is in docs/deploy.md as it is',
    (_name, row) => {
      const quoted = row.fallback === '' ? '' : `\`${row.fallback}\``;
      expect(readFileSync('docs/deploy.md', 'utf8')).toContain(
        `| \`borealis:${row.name}\` | ${row.values} | ${quoted} | ${row.meaning} |`,
      );
    },
  );
});
