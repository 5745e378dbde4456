import { type Happening, isCrewHappening, type LifeEvent } from './events.js';
import type { Surroundings } from './process.js';

/** What a session's moments belong to. */
export type SessionHandle = Parameters<Surroundings['happen']>[1];

/** Calls, commits, timers and messages of a session, each of which has a number, and what happens at them. */
export class Moments {
  calls = 0;
  commits = 0;
  sourceCalls = 0;
  /** The session is over: nothing happens any more. */
  isOver = false;
  readonly #around: Surroundings;
  readonly #events: readonly LifeEvent[];
  readonly #session: SessionHandle;
  #timers = 0;
  #messages = 0;

  constructor(around: Surroundings, events: readonly LifeEvent[], session: SessionHandle) {
    this.#around = around;
    this.#events = events;
    this.#session = session;
  }

  timer(): void {
    this.at('timer', ++this.#timers);
  }

  message(): void {
    this.at('message', ++this.#messages);
  }

  /** Does what happens at a moment. @returns the fault, if there is one */
  at(on: LifeEvent['on'], at: number, waits?: Promise<void>[]): unknown {
    if (this.isOver) return undefined;
    let fault: unknown;
    for (const event of this.#events) {
      if (event.on !== on || event.at !== at) continue;
      const { what } = event;
      if (isCrewHappening(what)) {
        this.#around.crew?.happen(what);
        continue;
      }
      if (isHappening(what)) {
        // What another process does takes a while, and only a call can wait for it.
        if (!waits && (what.kind === 'second process' || what.kind === 'second job')) continue;
        const wait = this.#around.happen(what, this.#session);
        if (wait) waits?.push(wait);
        continue;
      }
      if (fault !== undefined) continue;
      this.#around.happened(event, at);
      fault = on === 'call' ? what : what.kind;
    }
    return fault;
  }
}

const HAPPENINGS = new Set<string>([
  'signal',
  'clock',
  'second process',
  'second job',
  'source',
  'mount',
  'copy state',
  'restore state',
] satisfies Happening['kind'][]);

function isHappening(what: LifeEvent['what']): what is Happening {
  return HAPPENINGS.has(what.kind);
}
