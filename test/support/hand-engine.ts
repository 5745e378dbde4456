import type { Kind, TaskMessage } from '../../src/engine/kinds.js';
import type { Runner, RunnerEvents } from '../../src/engine/runner.js';
import { type Advance, type Plan, type Turn, type Work, workOf } from '../../src/engine/work.js';

/** Kinds of tasks of an engine that a test moves by hand. */
export interface TestKinds {
  readonly count: Kind<{ readonly id: number }, { readonly sum: number }, { readonly step: number }>;
  readonly note: Kind<string, string>;
}

export const work = workOf<TestKinds>();

/** A runner that a test moves by hand. */
export class HandRunner implements Runner<TestKinds> {
  readonly lanes: number;
  readonly remote: boolean;
  readonly submitted: { readonly lane: number; readonly ticket: number; readonly task: TaskMessage<TestKinds> }[] = [];
  readonly calls: string[] = [];
  events: RunnerEvents<TestKinds> | undefined;
  onSubmit: ((ticket: number, task: TaskMessage<TestKinds>) => void) | undefined;

  constructor(lanes = 1, remote = false) {
    this.lanes = lanes;
    this.remote = remote;
  }

  start(events: RunnerEvents<TestKinds>): void {
    this.events = events;
  }

  submit(lane: number, ticket: number, task: TaskMessage<TestKinds>): void {
    this.submitted.push({ lane, ticket, task });
    if (this.onSubmit) setImmediate(() => this.onSubmit?.(ticket, task));
  }

  stop(): void {
    this.calls.push('stop');
  }

  abandon(): void {
    this.calls.push('abandon');
  }

  recorded(): void {
    this.calls.push('recorded');
  }

  async close(): Promise<void> {}
}

/** A plan of some pieces of work that are given while there is room. */
export class ListPlan implements Plan<TestKinds> {
  readonly waiting: Work<TestKinds>[] = [];
  stages = 1;
  bytes = 0;

  bytesAhead(): number {
    return this.bytes;
  }

  next(turn: Turn<TestKinds>): void {
    while (turn.room > 0) {
      const next = this.waiting.shift();
      if (!next) return;
      turn.give(next);
    }
  }

  advance(): Advance {
    return --this.stages > 0 ? 'next' : 'end';
  }
}

/** Remembers when what was called: nothing may be submitted before the transaction in which it was given. */
export class TestStore {
  readonly log: string[] = [];
  failOn = 0;
  #count = 0;

  transact<T>(change: () => T): T {
    this.#count++;
    const result = change();
    if (this.#count === this.failOn) throw new Error('the disk is full');
    this.log.push('commit');
    return result;
  }
}
