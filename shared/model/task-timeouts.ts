// How long tasks may stay in the states that must end, as it is written in settings: `ASSIGNED=120,STARTING=600`,
// seconds; states that are left out keep their default.
import * as z from 'zod';

/** States that must be left before a deadline. STARTING is not among Aurora's; here it is timed as well. */
export const transientStates = [
  'ASSIGNED',
  'STARTING',
  'PREEMPTING',
  'RESTARTING',
  'DRAINING',
  'KILLING',
] as const;
export type TransientState = (typeof transientStates)[number];

const leastSecs = 10;
const mostSecs = 86_400;

function isTransient(name: string): name is TransientState {
  return (transientStates as readonly string[]).includes(name);
}

/** Milliseconds by state, from the text of the setting; an empty text sets nothing. */
export const taskTimeoutsSchema = z
  .string()
  .default('')
  .transform((text, context) => {
    const timeouts: Partial<Record<TransientState, number>> = {};
    for (const part of text.split(',').filter((one) => one.trim() !== '')) {
      const [name = '', secs = ''] = part.split('=').map((side) => side.trim());
      const value = Number(secs);
      if (!isTransient(name) || !Number.isInteger(value) || value < leastSecs || value > mostSecs) {
        const states = transientStates.join(', ');
        const message = `"${part}" is not STATE=SECONDS with one of ${states} and ${leastSecs} to ${mostSecs}`;
        context.addIssue({ code: 'custom', message });
        return z.NEVER;
      }
      timeouts[name] = value * 1000;
    }
    return timeouts;
  });
