// The task machine a second time: literal, so that the product's table is checked against something that is not it.
import type { MachineState } from '../../../../shared/domain/task/transitions.ts';

// Section 4 of the specification, typed from its text and not from the code: from -> "TO effects; ...". One entry
// differs from it: PARTITIONED -> FINISHED replaces a service (docs/adr/0014-partitioned-services.md).
// F S R L K D as in the specification; Rs = R?svc, Rf = R?fail, Ru = R unless the history contains KILLING;
// !K = illegal but kill sent.
const specification: Record<MachineState, string> = {
  INIT: 'PENDING S; THROTTLED S',
  THROTTLED: 'PENDING S; KILLING D',
  PENDING: 'ASSIGNED S; KILLING D',
  ASSIGNED:
    'STARTING S; RUNNING S; FINISHED S Rs; FAILED F S Rf; KILLED S R; LOST S R K; KILLING S K; RESTARTING S K; DRAINING S K; PREEMPTING S K',
  STARTING:
    'RUNNING S; PARTITIONED S; FINISHED S Rs; FAILED F S Rf; KILLED S R; LOST S R; KILLING S K; RESTARTING S K; DRAINING S K; PREEMPTING S K',
  RUNNING:
    'PARTITIONED S; FINISHED S Rs; FAILED F S Rf; KILLED S R; LOST S R; KILLING S K; RESTARTING S K; DRAINING S K; PREEMPTING S K',
  PARTITIONED:
    'ASSIGNED S; STARTING S; RUNNING S; FINISHED S Rs; FAILED F S Rf; LOST S Ru K; KILLING S L; RESTARTING S L; DRAINING S L; PREEMPTING S L',
  PREEMPTING:
    'FINISHED S R; FAILED S R; KILLED S R; LOST S R K; KILLING S; PARTITIONED S L; ASSIGNED !K; STARTING !K; RUNNING !K',
  RESTARTING:
    'FINISHED S R; FAILED S R; KILLED S R; LOST S R K; KILLING S; PARTITIONED S L; ASSIGNED !K; STARTING !K; RUNNING !K',
  DRAINING:
    'FINISHED S R; FAILED S R; KILLED S R; LOST S R K; KILLING S; PARTITIONED S L; ASSIGNED !K; STARTING !K; RUNNING !K',
  KILLING:
    'FINISHED S; FAILED S; KILLED S; LOST S; DELETED D; PARTITIONED S L; ASSIGNED !K; STARTING !K; RUNNING !K',
  FINISHED: 'DELETED D; ASSIGNED !K; STARTING !K; RUNNING !K',
  FAILED: 'DELETED D; ASSIGNED !K; STARTING !K; RUNNING !K',
  KILLED: 'DELETED D; ASSIGNED !K; STARTING !K; RUNNING !K',
  LOST: 'DELETED D; ASSIGNED !K; STARTING !K; RUNNING !K',
  DELETED: 'ASSIGNED !K; STARTING !K; RUNNING !K',
};

/** The effects of a pair in the specification's letters, or undefined if it is not listed. */
export function specified(from: MachineState, to: MachineState): string[] | undefined {
  for (const entry of specification[from].split('; ')) {
    const [state, ...effects] = entry.split(' ');
    if (state === to) return effects;
  }
  return undefined;
}
