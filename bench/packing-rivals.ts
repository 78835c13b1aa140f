// The other ways to pack that docs/adr/0002-packing.md compares: one task after another, every node looked at each
// time, by a score. Kept apart from the product, so that the comparison does not share its mistakes.
// Usage: node bench/packing-rivals.ts NODES.csv PODS.csv
import { readFileSync } from 'node:fs';

interface Ask {
  readonly cpu: number;
  readonly ram: number;
  readonly cards: number;
  /** Thousandths of each card. */
  readonly share: number;
  readonly key: string;
  readonly kind: number;
}
interface Room {
  cpu: number;
  ram: number;
  cards: number[];
  readonly size: { readonly cpu: number; readonly ram: number; readonly cards: number };
}
/** Score of an ask on a node that fits (lower first), and the card for a share (-1: the fullest that fits). */
type Score = (room: Room, ask: Ask) => readonly [score: number, card: number];
interface Typical {
  readonly ask: Ask;
  readonly weight: number;
}

const [nodesPath, podsPath] = process.argv.slice(2);
if (!nodesPath || !podsPath) {
  console.error('usage: node bench/packing-rivals.ts NODES.csv PODS.csv   (the openb files)');
  process.exit(2);
}
function rows(path: string): string[][] {
  const [, ...lines] = readFileSync(path, 'utf8').trim().split('\n');
  return lines.map((line) => line.trim().split(','));
}
const sizes = rows(nodesPath).map(([, cpu, ram, cards]) => ({
  cpu: Number(cpu),
  ram: Number(ram),
  cards: Number(cards),
}));
const kinds = new Map<string, number>();
const counts: number[] = [];
const asks = rows(podsPath).map(([, cpu, ram, cards, share]): Ask => {
  const key = [cpu, ram, cards, share].join();
  const kind = kinds.get(key) ?? kinds.size;
  kinds.set(key, kind);
  counts[kind] = (counts[kind] ?? 0) + 1;
  const amounts = { cpu: Number(cpu), ram: Number(ram), cards: Number(cards) };
  return { ...amounts, share: amounts.cards > 0 ? Number(share) : 0, key, kind };
});
const kindSamples = [...new Map(asks.map((ask) => [ask.kind, ask])).values()];
const total = {
  cpu: sizes.reduce((sum, { cpu }) => sum + cpu, 0),
  cards: sizes.reduce((sum, { cards }) => sum + cards * 1000, 0),
};

const cardSum = (cards: readonly number[]): number => cards.reduce((sum, milli) => sum + milli, 0);
function shares(cards: readonly number[], { cards: wanted, share }: Ask): number {
  return Math.floor(cards.reduce((sum, free) => sum + Math.floor(free / share), 0) / wanted);
}
function fits({ cpu, ram, cards }: Room, ask: Ask): boolean {
  return cpu >= ask.cpu && ram >= ask.ram && (ask.cards === 0 || shares(cards, ask) > 0);
}
function cardsAfter(cards: readonly number[], ask: Ask, card: number): number[] {
  const after = [...cards];
  if (ask.share === 1000) {
    let wanted = ask.cards;
    for (const [at, free] of after.entries()) if (free === 1000 && wanted-- > 0) after[at] = 0;
  } else if (ask.cards > 0) after[card] = (after[card] as number) - ask.share;
  return after;
}
function fullestCard(cards: readonly number[], ask: Ask): number {
  let best = -1;
  for (const [at, free] of cards.entries()) {
    if (free >= ask.share && (best < 0 || free < (cards[best] as number))) best = at;
  }
  return best;
}
/** One card of each free amount that takes the share; [-1] if there is nothing to choose. */
function cardChoices(cards: readonly number[], ask: Ask): number[] {
  if (ask.cards === 0 || ask.share === 1000) return [-1];
  return [...cards.keys()].filter(
    (at) => (cards[at] as number) >= ask.share && cards.indexOf(cards[at] as number) === at,
  );
}

type Known = readonly [number, number] | null | undefined;

/** The node with the lowest score, or -1. `known` keeps the scores of one kind of ask between tasks. */
function choose(rooms: readonly Room[], ask: Ask, known: Known[], score: Score): number {
  let best = -1;
  for (const [at, room] of rooms.entries()) {
    if (known[at] === undefined) known[at] = fits(room, ask) ? score(room, ask) : null;
    const mine = known[at];
    if (mine && (best < 0 || mine[0] < (known[best]?.[0] as number))) best = at;
  }
  return best;
}

/** `keep`: scores depend on the node and the kind of ask alone, so they hold until the node changes. */
function run(name: string, score: Score, keep = true): void {
  const started = performance.now();
  const rooms = sizes.map(
    (size): Room => ({ cpu: size.cpu, ram: size.ram, cards: Array(size.cards).fill(1000), size }),
  );
  const cache = kindSamples.map((): Known[] => []);
  const used = { cpu: 0, gpu: 0, placed: 0 };
  for (const ask of asks) {
    const known = keep ? (cache[ask.kind] as Known[]) : [];
    const best = choose(rooms, ask, known, score);
    const room = rooms[best];
    if (!room) continue;
    const card = known[best]?.[1] ?? -1;
    room.cpu -= ask.cpu;
    room.ram -= ask.ram;
    room.cards = cardsAfter(room.cards, ask, card < 0 ? fullestCard(room.cards, ask) : card);
    for (const scores of cache) scores[best] = undefined;
    used.cpu += ask.cpu;
    used.gpu += ask.cards * ask.share;
    used.placed++;
  }
  const percent = (part: number, whole: number): string => ((100 * part) / whole).toFixed(2);
  console.log(
    `${name.padEnd(60)} gpus ${percent(used.gpu, total.cards)}  cpu ${percent(used.cpu, total.cpu)}  placed ${used.placed}  ${Math.round(performance.now() - started)} ms`,
  );
}

/** Least growth of what `measure` says an agent strands. */
function leastGrowth(
  measure: (cpu: number, ram: number, cards: readonly number[]) => number,
  tie: number,
): Score {
  const memo = new Map<string, number>();
  const of = (cpu: number, ram: number, cards: readonly number[]): number => {
    const key = `${cpu},${ram},${[...cards].sort((a, b) => a - b).join()}`;
    const known = memo.get(key) ?? measure(cpu, ram, cards);
    memo.set(key, known);
    return known;
  };
  return (room, ask) => {
    let best: readonly [number, number] = [Number.POSITIVE_INFINITY, -1];
    for (const card of cardChoices(room.cards, ask)) {
      const after = of(room.cpu - ask.cpu, room.ram - ask.ram, cardsAfter(room.cards, ask, card));
      if (after < best[0]) best = [after, card];
    }
    const leftOver = (room.cpu - ask.cpu) / 128_000 + (room.ram - ask.ram) / 1_048_576;
    const beside = ask.cards === 0 ? (4 * cardSum(room.cards)) / 1000 : 0;
    return [best[0] - of(room.cpu, room.ram, room.cards) + tie * (leftOver + beside), best[1]];
  };
}
function typical(most: number, weigh: (ask: Ask, count: number) => number): Typical[] {
  const sorted = kindSamples
    .filter(({ cards }) => cards > 0)
    .sort((a, b) => (counts[b.kind] as number) - (counts[a.kind] as number))
    .slice(0, most);
  const sum = sorted.reduce((all, ask) => all + weigh(ask, counts[ask.kind] as number), 0);
  return sorted.map((ask) => ({ ask, weight: weigh(ask, counts[ask.kind] as number) / sum }));
}
/** The paper's measure: a card is lost to an ask if no such ask fits, or if the card has too little for its share. */
function asPublished(asksSeen: readonly Typical[]) {
  return (cpu: number, ram: number, cards: readonly number[]): number => {
    const room = { cpu, ram, cards: [...cards], size: { cpu, ram, cards: cards.length } };
    let lost = 0;
    for (const { ask, weight } of asksSeen) {
      lost += weight * cardSum(fits(room, ask) ? cards.filter((free) => free < ask.share) : cards);
    }
    return lost;
  };
}
/** Ours: what stays unused if the node is filled up with the ask. */
function filledUp(asksSeen: readonly Typical[]) {
  return (cpu: number, ram: number, cards: readonly number[]): number => {
    let used = 0;
    for (const { ask, weight } of asksSeen) {
      const copies = Math.min(Math.floor(cpu / ask.cpu), Math.floor(ram / ask.ram));
      if (copies > 0) used += weight * Math.min(copies, shares(cards, ask)) * ask.cards * ask.share;
    }
    return cardSum(cards) - used;
  };
}

let state = 42;
function random(): number {
  state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
  return state / 0x7fffffff;
}
function parts(room: Room, ask: Ask): [demand: number[], free: number[]] {
  const cards = Math.max(1, room.size.cards) * 1000;
  return [
    [ask.cpu / room.size.cpu, ask.ram / room.size.ram, (ask.cards * ask.share) / cards],
    [room.cpu / room.size.cpu, room.ram / room.size.ram, cardSum(room.cards) / cards],
  ];
}
function left(room: Room, ask: Ask): number {
  const gpu = (cardSum(room.cards) - ask.cards * ask.share) / 8000;
  return (room.cpu - ask.cpu) / 128_000 + (room.ram - ask.ram) / 1_048_576 + gpu;
}
function dot(room: Room, ask: Ask): number {
  const [demand, free] = parts(room, ask);
  return demand.reduce((sum, part, at) => sum + part * (free[at] as number), 0);
}
const byCount = (_: Ask, count: number): number => count;
const byCpu = ({ cpu }: Ask, count: number): number => count / cpu;

run('first fit', () => [0, -1]);
run('random', () => [random(), -1], false);
run('best fit (cpu + ram + gpus left)', (room, ask) => [left(room, ask), -1]);
run('worst fit', (room, ask) => [-left(room, ask), -1]);
run('dot product, most aligned', (room, ask) => [-dot(room, ask), -1]);
run('dot product, least', (room, ask) => [dot(room, ask), -1]);
run('no-GPU tasks off GPU nodes, then best fit by cpu', (room, ask) => [
  (ask.cards === 0 ? room.size.cards * 1e9 : 0) + room.cpu - ask.cpu,
  -1,
]);
run('FGD as published, all kinds by number', leastGrowth(asPublished(typical(1000, byCount)), 0));
run('FGD as published, tie on fullness', leastGrowth(asPublished(typical(1000, byCount)), 1));
for (const most of [8, 16, 24, 64, 1000]) {
  run(`FGD filled up, ${most} kinds by number`, leastGrowth(filledUp(typical(most, byCount)), 1));
}
for (const most of [24, 64, 1000]) {
  run(`FGD filled up, ${most} kinds by number / cpu`, leastGrowth(filledUp(typical(most, byCpu)), 1));
}
run(
  'FGD filled up, all kinds by number x cpu',
  leastGrowth(filledUp(typical(1000, ({ cpu }, n) => n * cpu)), 1),
);
run(
  'FGD filled up, all kinds by GPU demand',
  leastGrowth(filledUp(typical(1000, (a, n) => n * a.cards * a.share)), 1),
);
for (const tie of [0, 30, 300]) {
  run(
    `FGD filled up, all kinds by number / cpu, tie x ${tie}`,
    leastGrowth(filledUp(typical(1000, byCpu)), tie),
  );
}
