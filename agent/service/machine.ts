// What an EC2 instance says of itself: its id, which is the agent's, and the attributes tasks may ask for in constraints.
import { BorealisError } from '../../shared/lib/errors.ts';
import type { Attributes } from '../../shared/model/agent.ts';
import type { InstanceMetadata } from './instance-metadata.ts';

export interface Machine {
  readonly instanceId: string;
  readonly host: string;
  /** Private IPv4 address. */
  readonly address: string;
  /** `zone`, `region`, `instance-type`, `market` (spot or on-demand), `arch`, `image`. */
  readonly attributes: Attributes;
}

/** Node's names of processors as EC2 calls them. */
const archNames: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'arm64' };

/** Throws UNAVAILABLE if the metadata service does not answer, or leaves out what every instance has. */
export async function describeMachine(metadata: InstanceMetadata, arch: string): Promise<Machine> {
  const [instanceId, host, address, zone, region, type, lifeCycle, image] = await Promise.all(
    [
      'instance-id',
      'local-hostname',
      'local-ipv4',
      'placement/availability-zone',
      'placement/region',
      'instance-type',
      'instance-life-cycle',
      'ami-id',
    ].map((path) => metadata.get(path)),
  );
  if (!instanceId || !host || !address || !zone || !region || !type) {
    throw new BorealisError('UNAVAILABLE', 'the instance metadata service does not say what this machine is');
  }
  return {
    instanceId,
    host,
    address,
    attributes: {
      zone: [zone],
      region: [region],
      'instance-type': [type],
      market: [lifeCycle === 'spot' ? 'spot' : 'on-demand'],
      arch: [archNames[arch] ?? arch],
      ...(image ? { image: [image] } : {}),
    },
  };
}
