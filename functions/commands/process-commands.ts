// One batch of the commands queue. A command is carried out, refused for good, or left in the queue to come again; after
// its last try it is refused too, so that whatever ends in the dead-letter queue says why.
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Command } from '../../shared/api/commands.ts';
import { BorealisError, isBorealisError } from '../../shared/lib/errors.ts';
import { jobPath } from '../../shared/model/job-key.ts';
import type { DepsOf } from '../api/context.ts';
import type { MetricPort } from '../ports.ts';
import { about } from '../request-scope.ts';
import { carryOut } from './carry-out.ts';
import { commandToken, type Delivery, openMessage, readCommand } from './read-command.ts';
import { type RejectDeps, reject } from './reject.ts';

export interface CommandDeps extends DepsOf<'commands'>, RejectDeps {
  /** How often the queue delivers a message before it gives it up. */
  readonly maxTries: number;
  readonly meter: MetricPort;
}

interface Opened {
  readonly record: SQSRecord;
  readonly delivery: Delivery;
  readonly command: Command | BorealisError;
}

/** Commands for one job are carried out one after another in the order of the batch, those for different jobs at once. */
export async function processCommands(event: SQSEvent, deps: CommandDeps): Promise<SQSBatchResponse> {
  const failed: string[] = [];
  const lanes = Map.groupBy(event.Records.map(open), laneOf);
  await Promise.all(
    [...lanes.values()].map(async (lane) => {
      for (const one of lane) {
        const done = await about(fieldsOf(one), () => settle(one, deps));
        if (!done) failed.push(one.record.messageId);
      }
    }),
  );
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
}

function open(record: SQSRecord): Opened {
  const delivery = openMessage(record);
  try {
    return { record, delivery, command: readCommand(delivery) };
  } catch (error) {
    return { record, delivery, command: asBorealisError(error) };
  }
}

function laneOf({ record, command }: Opened): string {
  return command instanceof BorealisError ? record.messageId : jobPath(command);
}

function fieldsOf({ delivery: { commandId }, command }: Opened): Readonly<Record<string, string>> {
  return command instanceof BorealisError ? { commandId } : { commandId, job: jobPath(command) };
}

/** Whether the message is done with. */
async function settle(opened: Opened, deps: CommandDeps): Promise<boolean> {
  const { record, delivery, command } = opened;
  const error = command instanceof BorealisError ? command : await attempt(command, delivery, deps);
  if (error === undefined) return true;
  const tries = Number(record.attributes?.ApproximateReceiveCount ?? 1);
  if (mayPass(error) && tries < deps.maxTries) {
    deps.log.warn('a command could not be carried out now; it comes again', { tries, error });
    return false;
  }
  try {
    await reject(record.body, delivery, error, deps);
  } catch (cause) {
    deps.log.error('a refused command could not be put aside; it comes again', { error: cause });
    return false;
  }
  deps.meter.count('CommandsRejected', 1);
  deps.log.warn('command refused', { from: delivery.from, error });
  return true;
}

async function attempt(
  command: Command,
  delivery: Delivery,
  deps: CommandDeps,
): Promise<BorealisError | undefined> {
  try {
    const sender = { user: delivery.from, token: commandToken(command, delivery) };
    const message = await carryOut(command, sender, deps);
    deps.meter.count('CommandsAccepted', 1);
    deps.log.info('command carried out', { action: command.action, from: delivery.from, answer: message });
    return undefined;
  } catch (error) {
    return asBorealisError(error);
  }
}

/** A job that others are changing at this moment is no reason to give up either. */
function mayPass(error: BorealisError): boolean {
  return error.retryable || error.code === 'CONFLICT';
}

function asBorealisError(error: unknown): BorealisError {
  if (isBorealisError(error)) return error;
  return new BorealisError(
    'INTERNAL',
    'something went wrong inside; look for the command id in the log of the commands function',
    { cause: error },
  );
}
