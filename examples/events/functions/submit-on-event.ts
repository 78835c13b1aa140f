// Submits a job for an event. Values of the event reach the job as bindings, quoted for the shell: whatever an object is
// called, it stays one word of the command line.
import { putCommand } from './put-command.ts';

/** What the rule gives (job-on-event.ts). */
export interface SubmitOnEvent {
  readonly bus: string;
  readonly role: string;
  readonly environment: string;
  /** The job is called this and the id of the event. */
  readonly name: string;
  /** As in a job file, without role, environment and name. */
  readonly job: Readonly<Record<string, unknown>>;
  readonly eventId: string;
  /** Names for {{...}} in the job. */
  readonly values: Readonly<Record<string, unknown>>;
}

export async function handler(input: SubmitOnEvent): Promise<void> {
  const { bus, role, environment, name, job, eventId, values } = input;
  const bindings = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, quoted(value)]));
  await putCommand(bus, {
    version: 1,
    // A repeated delivery of the same event submits the same job.
    id: eventId,
    role,
    environment,
    name: `${name}-${eventId}`,
    action: 'submit',
    body: { job: { ...job, bindings } },
  });
}

/** One word for the shell. Two braces would start a reference of the job file, so they are kept apart. */
function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? '');
  return `'${text.replaceAll("'", `'\\''`).replaceAll('{', `{''`).replaceAll('}', `''}`)}'`;
}
