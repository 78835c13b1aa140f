// A job file in TypeScript: Node imports it, so it can compute what it exports. Export a job, a list of jobs, or this form
// with shared bindings as default. The types give completion and catch mistakes in the editor; the same checks as for YAML
// run when it is loaded.
//
//   borealis job create local/demo/devel/hello-typescript-east examples/typescript/job.ts --bind greeting=hi
import type { JobDefinition, JobFileDefinition } from '../../shared/config/job-file.ts';

const regions = ['east', 'west'];

function greeter(region: string): JobDefinition {
  return {
    role: 'demo',
    environment: 'devel',
    name: `hello-typescript-${region}`,
    instances: 2,
    metadata: { region },
    task: {
      resources: { cpu: 0.1, ram: '64MB', disk: '64MB' },
      processes: [
        {
          name: 'greet',
          cmdline: `echo "{{greeting}} from ${region}, instance {{borealis.instance}} on {{borealis.hostname}}"`,
          minDurationSecs: 1,
        },
      ],
    },
  };
}

const file: JobFileDefinition = { bindings: { greeting: 'hello' }, jobs: regions.map(greeter) };
export default file;
