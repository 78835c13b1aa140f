// A bell the runner's loop sleeps on: rung by whatever happened, never lost if rung before the sleep.

export class Wake {
  #isRung = false;
  #wakeUp: (() => void) | undefined;

  ring(): void {
    this.#isRung = true;
    this.#wakeUp?.();
  }

  /** Sleeps until the bell is rung or the time is up. */
  async wait(ms: number): Promise<void> {
    if (!this.#isRung && ms > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wakeUp = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wakeUp = undefined;
    }
    this.#isRung = false;
  }
}
