// How each machine of an agent is made: a launch template per architecture with IMDSv2 only, an encrypted disk, and a
// start script that takes the agent's archive from S3 and installs it.
import { Stack } from 'aws-cdk-lib';
import {
  AmazonLinuxCpuType,
  BlockDeviceVolume,
  EbsDeviceVolumeType,
  LaunchTemplate,
  LaunchTemplateHttpTokens,
  MachineImage,
  type SecurityGroup,
  UserData,
} from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement, type Role } from 'aws-cdk-lib/aws-iam';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { Construct } from 'constructs';
import { buildAgentPackage, type MachineArchitecture } from '../agent-package.ts';
import type { AgentsSettings } from '../agents-settings.ts';
import { agentUserData } from './agent-user-data.ts';

export interface AgentMachinesProps {
  readonly architecture: MachineArchitecture;
  readonly cluster: string;
  readonly apiUrl: string;
  readonly intakeQueueUrl: string;
  readonly role: Role;
  readonly securityGroup: SecurityGroup;
  readonly agents: AgentsSettings;
}

/** Port of the log server, where it is opened (`borealis:logsFrom`). */
export const agentLogPort = 7070;

const cpuType = { arm64: AmazonLinuxCpuType.ARM_64, x86_64: AmazonLinuxCpuType.X86_64 } as const;

/** The machines of one architecture. */
export class AgentMachines extends Construct {
  readonly template: LaunchTemplate;

  constructor(scope: Construct, id: string, props: AgentMachinesProps) {
    super(scope, id);
    const { architecture, agents, cluster } = props;
    // A synth that does not bundle (tests, the embedded stack, other stacks of the app) needs no archive either.
    const path = Stack.of(this).bundlingRequired
      ? buildAgentPackage(architecture)
      : new URL('../agent-machine/install.sh', import.meta.url).pathname;
    const archive = new Asset(this, 'Archive', { path });
    props.role.addToPolicy(
      new PolicyStatement({
        actions: ['s3:GetObject'],
        resources: [archive.bucket.arnForObjects(archive.s3ObjectKey)],
      }),
    );
    const userData = UserData.custom(
      agentUserData({
        archiveBucket: archive.s3BucketName,
        archiveKey: archive.s3ObjectKey,
        region: Stack.of(this).region,
        taskUsers: agents.taskUsers,
        environment: {
          BOREALIS_CLUSTER: cluster,
          BOREALIS_API: props.apiUrl,
          BOREALIS_INTAKE_QUEUE_URL: props.intakeQueueUrl,
          BOREALIS_POOL: agents.pool,
          BOREALIS_WORK_DIR: '/var/lib/borealis',
          BOREALIS_TASK_USER: 'borealis-task',
          BOREALIS_CGROUP_PARENT: '/sys/fs/cgroup/system.slice/borealis-tasks.service/tasks',
          ...(agents.logsFrom !== undefined && { BOREALIS_LOG_PORT: String(agentLogPort) }),
          AWS_REGION: Stack.of(this).region,
          NODE_ENV: 'production',
        },
      }),
    );
    this.template = new LaunchTemplate(this, 'Template', {
      launchTemplateName: `borealis-${cluster}-agents-${architecture.replace('_', '-')}`,
      machineImage: MachineImage.latestAmazonLinux2023({ cpuType: cpuType[architecture] }),
      role: props.role,
      securityGroup: props.securityGroup,
      userData,
      httpTokens: LaunchTemplateHttpTokens.REQUIRED,
      // A container on the machine is one hop further and gets no credentials.
      httpPutResponseHopLimit: 1,
      instanceMetadataTags: false,
      blockDevices: [
        {
          deviceName: '/dev/xvda',
          volume: BlockDeviceVolume.ebs(agents.diskGb, {
            volumeType: EbsDeviceVolumeType.GP3,
            encrypted: true,
            deleteOnTermination: true,
          }),
        },
      ],
      associatePublicIpAddress: agents.subnets === 'public',
    });
  }
}
