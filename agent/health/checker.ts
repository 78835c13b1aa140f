// Does one health check: HTTP against the task's own port, or a shell command in its sandbox
// (spec/executor.md section 7).
import { spawn } from 'node:child_process';
import type { HealthCheckConfig } from '../../shared/model/task-config.ts';
import { sendSignal } from '../runtime/procfs.ts';
import type { CheckResult } from './verdict.ts';

/** Asks once; never rejects: a transport error is an unhealthy answer. */
export type HealthProbe = () => Promise<CheckResult>;

/** How shell checks are run. */
export interface ShellContext {
  readonly sandbox: string;
  readonly environment: () => Record<string, string>;
  readonly uid?: number;
  readonly gid?: number;
}

const maxBodyBytes = 64 * 1024;

/** The probe a config asks for; undefined if none applies (an http check whose port the task doesn't have). */
export function probeOf(
  config: HealthCheckConfig,
  ports: Readonly<Record<string, number>>,
  shell: ShellContext,
): HealthProbe | undefined {
  const timeoutMs = config.timeoutSecs * 1000;
  if (config.shell) {
    const { command } = config.shell;
    return () => checkShell(command, timeoutMs, shell);
  }
  if (!config.http) return undefined;
  const { http } = config;
  const port = ports[http.port];
  if (port === undefined) return undefined;
  return async () => {
    const answer = await request('GET', port, http.endpoint, timeoutMs);
    return typeof answer === 'string' ? unhealthy(answer) : judgeAnswer(http, answer);
  };
}

/** What came back over HTTP; the body of an answer other than 2xx counts as empty. */
export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
}

/** Compares an answer with what the config expects: body first, then status code. */
export function judgeAnswer(
  expected: { readonly expectedResponse: string; readonly expectedResponseCode: number },
  answer: HttpAnswer,
): CheckResult {
  const wanted = expected.expectedResponse.trim().toLowerCase();
  const got = answer.body.trim().toLowerCase();
  if (wanted !== '' && got !== wanted) {
    return unhealthy(
      `Response differs from expected response (expected "${wanted}", got "${got.slice(0, 100)}", status ${answer.status})`,
    );
  }
  if (expected.expectedResponseCode !== 0 && answer.status !== expected.expectedResponseCode) {
    return unhealthy(
      `Response code differs from expected response (expected ${expected.expectedResponseCode}, got ${answer.status})`,
    );
  }
  return { healthy: true };
}

/** One HTTP request to this machine; the answer, or the reason there is none. */
export async function request(
  method: 'GET' | 'POST',
  port: number,
  path: string,
  timeoutMs: number,
): Promise<HttpAnswer | string> {
  // Loaded on first use: a runner whose task has no HTTP check starts faster without it.
  const http = await import('node:http');
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      resolve(`no answer from port ${port} within ${timeoutMs / 1000} s`);
      call.destroy();
    }, timeoutMs);
    const call = http.request({ host: '127.0.0.1', port, path, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size <= maxBodyBytes) chunks.push(chunk);
      });
      response.on('end', () => {
        const status = response.statusCode ?? 0;
        const isSuccess = status >= 200 && status < 300;
        resolve({ status, body: isSuccess ? Buffer.concat(chunks).toString('utf8') : '' });
      });
      response.on('error', (error) => resolve(error.message));
    });
    call.on('error', (error) => resolve(error.message));
    call.on('close', () => clearTimeout(timer));
    call.end();
  });
}

function checkShell(command: string, timeoutMs: number, context: ShellContext): Promise<CheckResult> {
  return new Promise((resolve) => {
    const child = spawn('/bin/bash', ['-c', command], {
      cwd: context.sandbox,
      env: context.environment(),
      detached: true,
      stdio: 'ignore',
      ...(context.uid === undefined ? {} : { uid: context.uid }),
      ...(context.gid === undefined ? {} : { gid: context.gid }),
    });
    const timer = setTimeout(() => {
      resolve(unhealthy(`Health check command timed out after ${timeoutMs / 1000} s`));
      if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL');
    }, timeoutMs);
    child.once('error', (error) =>
      resolve(unhealthy(`Health check command could not start: ${error.message}`)),
    );
    child.once('exit', (code, signal) => {
      clearTimeout(timer);
      resolve(
        code === 0
          ? { healthy: true }
          : unhealthy(`Health check command ended with ${signal ?? `exit code ${code}`}`),
      );
    });
  });
}

function unhealthy(reason: string): CheckResult {
  return { healthy: false, reason };
}
