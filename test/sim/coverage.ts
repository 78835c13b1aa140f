// Which transitions the simulator can reach, and why not the others. What the tables of the two machines allow is one
// thing, what anything in the product makes is another: an entry here says that nothing does, and why. A run that reaches
// one all the same makes its entry wrong, and the simulator says so.
import { machineStates } from '../../shared/domain/task/transitions.ts';
import { updateTransitions } from '../../shared/domain/update/status-machine.ts';
import { specified } from '../shared/domain/task/specified-table.ts';

/** Transitions as `FROM>TO`. */
interface Unreachable {
  readonly pairs: readonly string[];
  readonly why: string;
}

/** A machine's table: what it allows, and what of that nothing makes. */
interface Machine {
  readonly allowed: readonly string[];
  readonly unreachable: readonly Unreachable[];
}

export interface Coverage {
  readonly allowed: number;
  readonly reachable: number;
  readonly reached: number;
  /** Reachable, and not reached this time. */
  readonly missing: readonly string[];
  readonly unreachable: readonly Unreachable[];
  /** Reached although they are listed as unreachable. */
  readonly surprises: readonly string[];
}

export function coverageOf({ allowed, unreachable }: Machine, reached: ReadonlySet<string>): Coverage {
  const listed = new Set(unreachable.flatMap(({ pairs }) => pairs));
  const reachable = allowed.filter((pair) => !listed.has(pair));
  const missing = reachable.filter((pair) => !reached.has(pair));
  return {
    allowed: allowed.length,
    reachable: reachable.length,
    reached: reachable.length - missing.length,
    missing,
    unreachable,
    surprises: [...listed].filter((pair) => reached.has(pair)),
  };
}

const { allowed: allowedOfTasks, strays } = pairsOfTheTable();

/** `FROM>TO` of reports that the specification refuses and answers with a kill. */
export { strays };

const ends = ['FINISHED', 'FAILED', 'KILLED', 'LOST'];

/** A removed row of an ended task counts as DELETED, whether it was surplus or its time had come. */
export const taskMachine: Machine = {
  allowed: allowedOfTasks,
  unreachable: [
    {
      pairs: [
        ...['ASSIGNED', 'STARTING', 'RUNNING', 'PARTITIONED'].map((from) => `${from}>PREEMPTING`),
        ...['KILLING', 'PARTITIONED', ...ends].map((to) => `PREEMPTING>${to}`),
      ],
      why: 'nothing in the product preempts',
    },
    {
      pairs: ['PARTITIONED>ASSIGNED'],
      why: 'only the matcher assigns, and only what is PENDING; an agent has no report that means ASSIGNED',
    },
    {
      pairs: ['KILLING>DELETED'],
      why: 'a task that an agent may have is ended, never removed; history is only what has ended',
    },
  ],
};

/** Changes of the status of an update. */
export const updateMachine: Machine = {
  allowed: Object.entries(updateTransitions).flatMap(([from, row]) =>
    Object.keys(row).map((to) => `${from}>${to}`),
  ),
  unreachable: [
    {
      pairs: ['ROLLING_FORWARD>ERROR', 'ROLLING_BACK>ERROR'],
      why: 'takes an update that cannot be evaluated, or rows mended by hand (test/functions/updater)',
    },
    {
      pairs: ['ROLL_FORWARD', 'ROLL_BACK'].flatMap((way) =>
        ['PAUSED', 'AWAITING_PULSE'].map((stop) => `${way}_${stop}>ERROR`),
      ),
      why: 'an update that is stopped is not evaluated, so nothing can go wrong with it',
    },
  ],
};

/** `FROM>TO` pairs the specification allows, and those it refuses with a kill. */
function pairsOfTheTable(): { readonly allowed: string[]; readonly strays: string[] } {
  const allowed: string[] = [];
  const strays: string[] = [];
  for (const from of machineStates) {
    for (const to of machineStates) {
      const effects = specified(from, to);
      if (effects) (effects[0] === '!K' ? strays : allowed).push(`${from}>${to}`);
    }
  }
  return { allowed, strays };
}

/** For people: how much of what can be reached was, what is missing, and what cannot be reached and why. */
export function renderCoverage(what: string, coverage: Coverage): string[] {
  const { reached, reachable, missing, unreachable, surprises, allowed } = coverage;
  return [
    `${what}: ${reached} of ${reachable} reachable, ${allowed - reachable} of the ${allowed} in its table not reachable`,
    ...(missing.length > 0 ? [`  not reached: ${missing.join(' ')}`] : []),
    ...unreachable.map(({ pairs, why }) => `  not reachable (${why}): ${pairs.join(' ')}`),
    ...surprises.map((pair) => `  ${pair} was reached although coverage.ts says it cannot be`),
  ];
}
