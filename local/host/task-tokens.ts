// Tokens with which a state of a running execution waits for an answer from outside. As in AWS, a token is good for one
// answer, and only while its execution is in the state that made it.
import { randomUUID } from 'node:crypto';

export type TokenAnswer =
  | { readonly kind: 'success'; readonly output: unknown }
  | { readonly kind: 'failure'; readonly error: string; readonly cause: string };

interface Waiting {
  readonly settle: (answer: TokenAnswer) => void;
}

/** All tokens of the host. */
export class TaskTokens {
  readonly #waiting = new Map<string, Waiting>();

  /** False if nobody waits with this token (any more). */
  answer(token: string, answer: TokenAnswer): boolean {
    const waiting = this.#waiting.get(token);
    if (!waiting) return false;
    this.#waiting.delete(token);
    waiting.settle(answer);
    return true;
  }

  /** The tokens of one execution. */
  forExecution(): ExecutionTokens {
    return new ExecutionTokens(this.#waiting);
  }
}

/** The token of the state an execution is in. */
export class ExecutionTokens {
  readonly #all: Map<string, Waiting>;
  #current: string | undefined;

  constructor(all: Map<string, Waiting>) {
    this.#all = all;
  }

  /** Makes the token of the state that begins now; the one before is worth nothing from here on. */
  mint(): string {
    this.drop();
    this.#current = randomUUID();
    return this.#current;
  }

  /** What is answered to the present token; starts to wait before `work` hands the token out. Throws a failure. */
  async wait(work: () => Promise<unknown>): Promise<unknown> {
    const token = this.#current ?? this.mint();
    const answered = new Promise<TokenAnswer>((settle) => this.#all.set(token, { settle }));
    try {
      await work();
    } catch (error) {
      this.#all.delete(token);
      throw error;
    }
    const answer = await answered;
    if (answer.kind === 'success') return answer.output;
    const failure = new Error(answer.cause);
    failure.name = answer.error;
    throw failure;
  }

  /** Nobody waits any more. */
  drop(): void {
    if (this.#current !== undefined) this.#all.delete(this.#current);
    this.#current = undefined;
  }
}
