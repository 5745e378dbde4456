import { setImmediate as nextTurn } from 'node:timers/promises';
import type { BlobInfo, Container } from '../../src/container/container.js';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import { CHANGES, type LaterCalls, type TargetCalls } from '../../src/export/target/target-calls.js';
import { PosixError } from '../../src/posix/posix-error.js';
import type { CommitHooks } from '../../src/state/job-database.js';
import type { VolatileDisk } from '../support/volatile-disk.js';

const ENOSPC = 28;
const EIO = 5;

/**
 * Something that goes wrong in a session, at the n-th commit, call that changes the target, sync of it, or read of the
 * container.
 */
export interface Fault {
  readonly on: 'commit' | 'change' | 'sync' | 'read';
  readonly at: number;
  readonly what:
    | 'crash before'
    | 'crash after'
    | 'power cut'
    | 'not synced'
    | 'full'
    | 'refused'
    | 'signal'
    | 'missing'
    | 'damaged'
    | 'unavailable';
}

/** Why everything fails in a session that was killed. */
class Killed extends Error {
  constructor() {
    super('the process was killed');
  }
}

/** Those that need room. */
const NEED_ROOM = new Set<string>(['write', 'makeDirectory', 'makeSymlink', 'makeLink', 'makeNode', 'renameNew']);

/** What a session has to do with: after a kill nothing works any more. */
export class Surroundings {
  readonly controller = new AbortController();
  readonly happened: string[] = [];
  readonly #faults: readonly Fault[];
  readonly #store: MemoryContainer;
  readonly #disk: VolatileDisk;
  readonly #lateness: (call: number) => number;
  readonly #lost = new Map<string, 'missing' | 'damaged'>();
  #dead = false;
  #full = false;
  #unavailable = false;
  #lostBytes = false;
  readonly counts = { commit: 0, change: 0, sync: 0, read: 0 };

  /** @param lateness turns of the event loop that a read, or a call of a slow target, takes, by its number */
  constructor(
    faults: readonly Fault[],
    { store, disk }: { readonly store: MemoryContainer; readonly disk: VolatileDisk },
    lateness: (call: number) => number,
  ) {
    this.#faults = faults;
    this.#store = store;
    this.#disk = disk;
    this.#lateness = lateness;
  }

  get wasKilled(): boolean {
    return this.#dead;
  }

  /** Whether something that had been written was lost. */
  get lostBytes(): boolean {
    return this.#lostBytes;
  }

  readonly hooks: CommitHooks = {
    before: () => {
      this.#requireAlive();
      const what = this.#next('commit');
      if (what === 'crash before') this.#die();
      this.#dieAfterCommit = what === 'crash after';
    },
    after: () => {
      if (this.#dieAfterCommit) this.#die();
    },
  };
  #dieAfterCommit = false;

  get calls(): TargetCalls {
    const system = this.#disk.calls;
    const calls: Record<string, unknown> = { ...system };
    for (const key of CHANGES) {
      const real = system[key] as (...how: unknown[]) => unknown;
      calls[key] = (...how: unknown[]) => this.#change(key, real, how);
    }
    for (const key of ['openAt', 'statAt', 'lookAt', 'statFd'] as const) {
      const real = system[key] as (...how: unknown[]) => unknown;
      calls[key] = (...how: unknown[]) => {
        this.#requireAlive();
        return real(...how);
      };
    }
    calls.sync = (fd: number) => this.#sync(fd);
    return calls as unknown as TargetCalls;
  }

  /** The same as a slow target has them: several are in flight, and what they do is done at some time in between. */
  get laterCalls(): LaterCalls {
    const { calls } = this;
    const later: Record<string, unknown> = {};
    let made = 0;
    for (const key of Object.keys(calls) as (keyof TargetCalls)[]) {
      const call = calls[key] as (...how: unknown[]) => unknown;
      later[key] = async (...how: unknown[]) => {
        made++;
        // What is written while a sync runs need not be in it.
        if (key !== 'sync') await turns(this.#lateness(made));
        const result = call(...how);
        await turns(this.#lateness(-made));
        this.#requireAlive();
        return result;
      };
    }
    return later as unknown as LaterCalls;
  }

  get container(): Container {
    const store = this.#store;
    const requireAlive = () => this.#requireAlive();
    return {
      put: (...how) => store.put(...how),
      get: (name, limit) => this.#get(name, limit),
      async *list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
        requireAlive();
        yield* store.list(prefix);
      },
      listsByPrefix: true,
      delete: (name) => store.delete(name),
      flush: () => store.flush(),
      tidy: () => store.tidy(),
      ready: () => undefined,
      lateArrivalMs: 0,
      uncertainUntilMs: 0,
      close: () => store.close(),
    };
  }

  /** One that fails is the only one that tells: the next succeeds. */
  #sync(fd: number): void {
    this.#requireAlive();
    const what = this.#next('sync');
    if (what === 'power cut') this.#cutPower();
    if (what === 'not synced') {
      this.#lostBytes = true;
      this.#disk.loseBytes();
      throw new PosixError('sync', EIO);
    }
    this.#disk.calls.sync(fd);
    if (what === 'crash after') this.#die();
  }

  /** What was not synced is lost: of names or of bytes. */
  #cutPower(): never {
    this.#lostBytes = true;
    const { change } = this.counts;
    if (change % 2 === 0) this.#disk.loseNames();
    else this.#disk.loseBytes();
    this.#die();
  }

  #change(key: string, real: (...how: unknown[]) => unknown, how: unknown[]): unknown {
    this.#requireAlive();
    const what = this.#next('change');
    if (what === 'crash before') this.#die();
    if (what === 'power cut') this.#cutPower();
    if (what === 'full') this.#full = true;
    if (what === 'signal') this.controller.abort();
    if (what === 'refused') throw new PosixError(key, EIO);
    if (this.#full && NEED_ROOM.has(key)) {
      if (key === 'write') {
        // A disk that gets full takes a part.
        const [fd, bytes, position] = how as [number, Uint8Array, number];
        this.#disk.calls.write(fd, bytes.subarray(0, bytes.length >> 1), position);
      }
      throw new PosixError(key, ENOSPC);
    }
    const result = real(...how);
    if (what === 'crash after') this.#die();
    return result;
  }

  async #get(name: string, limit: number): Promise<Buffer> {
    this.#requireAlive();
    const what = this.#next('read');
    if (what === 'crash before') this.#die();
    if (what === 'unavailable') this.#unavailable = true;
    if (what === 'signal') this.controller.abort();
    if (what === 'missing' || what === 'damaged') this.#lost.set(name, what);
    await turns(this.#lateness(this.counts.read));
    this.#requireAlive();
    if (this.#unavailable) throw new ClfsError('service-unavailable', 'The service does not answer.');
    const lost = this.#lost.get(name);
    if (lost === 'missing') throw new ClfsError('not-found', `There is no blob ${name}.`);
    const blob = await this.#store.get(name, limit);
    return lost === 'damaged' ? blob.subarray(0, blob.length - 1) : blob;
  }

  #next(on: Fault['on']): Fault['what'] | undefined {
    const at = ++this.counts[on];
    const fault = this.#faults.find((each) => each.on === on && each.at === at);
    if (fault) this.happened.push(`${fault.what} at ${on} ${at}`);
    return fault?.what;
  }

  #die(): never {
    this.#dead = true;
    throw new Killed();
  }

  #requireAlive(): void {
    if (this.#dead) throw new Killed();
  }
}

async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await nextTurn();
}
