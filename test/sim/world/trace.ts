// What happened in a run: a running hash, always, to tell whether two runs were the same; and lines, when asked for.

export class Trace {
  hash = 0x811c9dc5;
  readonly lines: string[] | undefined;
  readonly #now: () => number;
  readonly #startedAt: number;

  constructor(now: () => number, withLines: boolean) {
    this.#now = now;
    this.#startedAt = now();
    this.lines = withLines ? [] : undefined;
  }

  note(what: string, detail: () => string = () => ''): void {
    const now = this.#now();
    this.hash = Math.imul(this.hash ^ (now & 0x7fffffff), 0x01000193);
    for (let i = 0; i < what.length; i++) this.hash = Math.imul(this.hash ^ what.charCodeAt(i), 0x01000193);
    if (!this.lines) return;
    const seconds = ((now - this.#startedAt) / 1000).toFixed(3).padStart(9);
    this.lines.push(`${seconds} s  ${what} ${detail()}`.trimEnd());
  }
}
