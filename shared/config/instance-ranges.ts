// Instance numbers as a job file writes them (`0-2,5`, spec/client-and-ui.md section 1), with errors in its words. The
// arithmetic of ranges is in shared/model/instance-ranges.ts.
import { BorealisError } from '../lib/errors.ts';
import { normaliseInstances } from '../model/instance-ranges.ts';
import { maxInstances } from '../model/job.ts';
import type { InstanceRange } from '../model/job-key.ts';

/**
 * Parses `0-2,5` to normalised ranges. Throws INVALID_REQUEST naming the part that is wrong: not a number, a reversed
 * range, or an instance number a job cannot have.
 */
export function parseRanges(text: string): InstanceRange[] {
  const ranges = text.split(',').map((part): InstanceRange => {
    const match = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part);
    if (match === null) {
      throw rangeError(part, 'is not an instance number or a range; write for example 0-2,5');
    }
    const from = Number(match[1]);
    const to = match[2] === undefined ? from : Number(match[2]);
    if (to < from) throw rangeError(part, `is reversed; write ${to}-${from}`);
    if (to >= maxInstances)
      throw rangeError(part, `is beyond the largest instance number ${maxInstances - 1}`);
    return [from, to];
  });
  return normaliseInstances(ranges);
}

function rangeError(part: string, what: string): BorealisError {
  const shown = JSON.stringify(part.trim().slice(0, 40));
  return new BorealisError('INVALID_REQUEST', `instances: ${shown} ${what}`, { details: { part } });
}
