// Fills in what only the agent knows (instance, host, task id, ports) in the commands of a task
// (spec/config.md section 1).
import { renderAgentTemplate } from '../../shared/config/agent-template.ts';
import type { TaskLaunch } from '../../shared/model/protocol.ts';
import type { TaskConfig } from '../../shared/model/task-config.ts';

/** The config with every command line, health check and endpoint rendered; throws INVALID_CONFIG for a bad reference. */
export function renderConfig(launch: TaskLaunch, hostname: string): TaskConfig {
  const values = {
    instance: launch.instance,
    hostname,
    taskId: launch.taskId,
    ports: launch.grant.ports,
  };
  const render = (text: string) => renderAgentTemplate(text, values);
  const { config } = launch;
  const { healthCheck, httpLifecycle } = config;
  return {
    ...config,
    processes: config.processes.map((process) => ({ ...process, cmdline: render(process.cmdline) })),
    ...(healthCheck && {
      healthCheck: {
        ...healthCheck,
        ...(healthCheck.http && {
          http: { ...healthCheck.http, endpoint: render(healthCheck.http.endpoint) },
        }),
        ...(healthCheck.shell && { shell: { command: render(healthCheck.shell.command) } }),
      },
    }),
    ...(httpLifecycle && {
      httpLifecycle: {
        ...httpLifecycle,
        gracefulShutdownEndpoint: render(httpLifecycle.gracefulShutdownEndpoint),
        shutdownEndpoint: render(httpLifecycle.shutdownEndpoint),
      },
    }),
  };
}
