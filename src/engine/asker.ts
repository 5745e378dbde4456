import type { Clock } from '../time/clock.js';
import { Engine } from './engine.js';
import type { Executors, Kinds } from './kinds.js';
import type { Runner } from './runner.js';
import { type Advance, type Plan, type Turn, type Work, workOf } from './work.js';

/** What may be said of a task that is asked for. */
interface Asked<Part> {
  /** Told of parts of the result, before it. */
  part?(part: Part): void;
  /**
   * Told that the lane is gone and the task is done anew: what was told of parts does not count. To be given where there
   * are parts, and lanes may be elsewhere.
   */
  again?(): void;
  /** What it works on, as people know it: for a task that brings its lanes down. */
  subject?(): string;
}

/** Has lanes do tasks for what keeps no state: whoever asks waits for the answer. */
export interface Asker<M extends Kinds<M>> {
  /** Lanes that there are, at least one; those elsewhere come and go. */
  readonly lanes: number;
  /** Whether lanes may go, and what they did is done anew. */
  readonly mayRepeat: boolean;
  /**
   * Has a lane do a task.
   *
   * @param units how much of a lane it takes, in units of about one small file
   * @throws what the task threw; why the lanes were stopped
   */
  ask<K extends keyof M>(
    kind: K,
    task: M[K]['task'],
    units: number,
    more?: Asked<M[K]['part']>,
  ): Promise<M[K]['result']>;
}

/** Lanes that are asked, and closed in the end. */
export interface Crew<M extends Kinds<M>> extends Asker<M> {
  /** Ends what is under way, and closes the lanes. Who still waits for an answer is told that it will not come. */
  close(): Promise<void>;
}

/** Does what is asked in the calling thread, at once: for small containers and tests. */
export function askHere<M extends Kinds<M>, Shared>(executors: Executors<M, Shared>, shared: Shared): Asker<M> {
  return {
    lanes: 1,
    mayRepeat: false,
    ask: async (kind, task, _units, more) => executors[kind](task, shared, (told) => more?.part?.(told)),
  };
}

/** What {@link openCrew} works with. */
export interface CrewParts<M extends Kinds<M>> {
  readonly runner: Runner<M>;
  readonly clock: Clock;
  /** Use every lane from the start, in place of one after another while processors idle. */
  readonly allLanes: boolean;
  /** Leave all work to lanes elsewhere. */
  readonly onlyRemote?: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Has an engine hand to its lanes what is asked. */
export function openCrew<M extends Kinds<M>>({ runner, clock, signal, ...parts }: CrewParts<M>): Crew<M> {
  const stop = new AbortController();
  const abort = () => stop.abort(signal?.reason);
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort);
  const plan = new AskedPlan<M>();
  const engine = new Engine<M>({
    plan,
    store: { transact: (change) => change() },
    clock,
    ...parts,
    cancelled: () => stop.signal.reason,
  });
  const ended = engine.run(runner, stop.signal).then(
    () => plan.end(new Error('The lanes have been closed.')),
    (error: unknown) => plan.end(error),
  );
  return {
    get lanes() {
      return Math.max(1, engine.laneCount);
    },
    mayRepeat: runner.remote === true,
    ask(kind, task, units, more = {}) {
      const answer = plan.ask(kind, task, units, more);
      engine.wake();
      return answer;
    },
    async close() {
      plan.close();
      if (plan.isIdle) engine.wake();
      else stop.abort(new Error('The lanes have been closed.'));
      await ended;
      signal?.removeEventListener('abort', abort);
      await runner.close();
    },
  };
}

/** Questions that were handed out and are still held, at most. */
const KEPT = 256;

/** Gives what has been asked, in that order. */
class AskedPlan<M extends Kinds<M>> implements Plan<M> {
  readonly #waiting = new Set<(reason: unknown) => void>();
  #asked: Work<M>[] = [];
  #next = 0;
  #open = true;
  #failure: { readonly reason: unknown } | undefined;

  get isIdle(): boolean {
    return this.#waiting.size === 0;
  }

  ask<K extends keyof M>(
    kind: K,
    task: M[K]['task'],
    units: number,
    { part, again, subject }: Asked<M[K]['part']>,
  ): Promise<M[K]['result']> {
    const answer = new Promise<M[K]['result']>((resolve, reject) => {
      if (this.#failure) {
        reject(asError(this.#failure.reason));
        return;
      }
      const giveUp = (reason: unknown) => reject(asError(reason));
      this.#waiting.add(giveUp);
      const work: Work<M> = workOf<M>()(kind, {
        task,
        units,
        subject,
        part: (told) => part?.(told),
        done: (result) => {
          this.#waiting.delete(giveUp);
          resolve(result);
        },
        lost(turn) {
          again?.();
          turn.give(work);
        },
      });
      this.#asked.push(work);
    });
    // Who asked may be busy with something else when all is given up.
    answer.catch(() => undefined);
    return answer;
  }

  next(turn: Turn<M>): void {
    while (turn.room > 0 && this.#next < this.#asked.length) turn.give(this.#asked[this.#next++]);
    // What was handed out is not held any longer than that.
    if (this.#next < this.#asked.length && this.#next < KEPT) return;
    this.#asked = this.#asked.slice(this.#next);
    this.#next = 0;
  }

  advance(): Advance {
    return this.#open ? 'wait' : 'end';
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#open = false;
  }

  /** Who waits is told that no answer comes. */
  end(reason: unknown): void {
    this.#failure = { reason };
    for (const giveUp of this.#waiting) giveUp(reason);
    this.#waiting.clear();
  }

  bytesAhead(): number {
    return 0;
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
