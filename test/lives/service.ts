import type { PutOptions } from '../../src/container/container.js';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { isClfsError } from '../../src/error.js';
import type { VirtualTime } from './virtual-time.js';

/** A request that changes something. */
export interface Change {
  readonly name: string;
  /** undefined: a delete. */
  readonly body: Uint8Array | undefined;
  readonly options: PutOptions | undefined;
}

interface LateChange extends Change {
  readonly afterCall: number;
  readonly dueMs: number;
}

/** The service: its blobs, and the requests that nobody waits for any more and that will yet take effect. */
export class Service {
  readonly store = new MemoryContainer();
  readonly #time: VirtualTime;
  #late: LateChange[] = [];
  /** Calls of all sessions. */
  calls = 0;
  /** Requests that took effect after they were given up. */
  arrived = 0;

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  async apply({ name, body, options }: Change): Promise<void> {
    if (body) await this.store.put(name, body, options);
    else await this.store.delete(name);
  }

  /** Lets a request take effect after `calls` further calls, or at `dueMs` at the latest. */
  later(change: Change, calls: number, dueMs: number): void {
    const body = change.body && Buffer.from(change.body);
    this.#late.push({ ...change, body, afterCall: this.calls + calls, dueMs });
  }

  /** Lets what is due take effect. */
  async arrive(): Promise<void> {
    if (this.#late.length === 0) return;
    const isDue = ({ afterCall, dueMs }: LateChange) => afterCall <= this.calls || dueMs <= this.#time.ms;
    const due = this.#late.filter(isDue);
    this.#late = this.#late.filter((change) => !isDue(change));
    await this.#applyAll(due);
  }

  /** Lets everything take effect that is still under way. @returns how many requests that were */
  async deliver(): Promise<number> {
    const due = this.#late;
    this.#late = [];
    await this.#applyAll(due);
    return due.length;
  }

  async #applyAll(changes: readonly Change[]): Promise<void> {
    for (const change of changes) {
      this.arrived++;
      await this.apply(change).catch((error: unknown) => {
        if (!isClfsError(error, 'exists')) throw error;
      });
    }
  }
}
