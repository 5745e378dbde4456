import { CREW_HAPPENINGS, type CrewHappening } from '../lives/events.js';
import type { Random } from '../lives/random.js';

/** What can happen at a call that changes the target, at a read of the container, or at a commit of the state. */
export const CALL_FAULTS = [
  'freeze before',
  'freeze after',
  'crash before',
  'crash after',
  'full',
  'full here',
  'refused',
  'unavailable here',
  'signal',
] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

/** Something that happens in a session at the n-th of something, whichever process does it. */
export type CrewEvent = { readonly at: number } & (
  | { readonly on: 'change' | 'read' | 'commit'; readonly what: { readonly kind: CallFault; readonly ms: number } }
  | { readonly on: 'message'; readonly what: CrewHappening }
);

/** How far into a session the things happen that are drawn, at most. */
const CHANGES = 400;
const READS = 120;
const COMMITS = 40;
const MESSAGES = 700;

/** Draws what happens in a session. */
export function drawEvents(random: Random, leaseMs: number): readonly CrewEvent[] {
  return Array.from({ length: random.below(9) }, () => drawEvent(random, leaseMs));
}

function drawEvent(random: Random, leaseMs: number): CrewEvent {
  const ms = random.chance(40) ? random.below(leaseMs) : leaseMs + random.below(60_000);
  switch (random.below(8)) {
    case 0:
    case 1:
    case 2: {
      const what = { kind: random.pick(CREW_HAPPENINGS), pick: random.below(1000), ms };
      return { on: 'message', at: 1 + random.small(MESSAGES), what };
    }
    case 3: {
      const kind = random.pick(['freeze before', 'crash before', 'unavailable here', 'signal'] as const);
      return { on: 'read', at: 1 + random.small(READS), what: { kind, ms } };
    }
    case 4: {
      const kind = random.pick(['crash before', 'crash after'] as const);
      return { on: 'commit', at: 1 + random.small(COMMITS), what: { kind, ms } };
    }
    default: {
      const freezes = ['freeze before', 'freeze before', 'freeze after'] as const;
      const faults = ['crash before', 'crash after', 'full', 'full here', 'refused', 'signal'] as const;
      return {
        on: 'change',
        at: 1 + random.small(CHANGES),
        what: { kind: random.pick([...freezes, ...freezes, ...faults]), ms },
      };
    }
  }
}

/** Calls, commits and messages of a session, each of which has a number, and what happens at them. */
export class CrewMoments {
  readonly counts = { change: 0, read: 0, commit: 0, message: 0 };
  /** The session is over: nothing happens any more. */
  isOver = false;
  /** Whether something has happened to a call, a read or a commit. */
  hasHappened = false;
  readonly #events: readonly CrewEvent[];
  readonly #happen: (what: CrewHappening) => void;
  readonly #happened: (label: string) => void;

  /** @param happen does what happens to workers, and to what is between them and their driver */
  constructor(events: readonly CrewEvent[], happen: (what: CrewHappening) => void, happened: (label: string) => void) {
    this.#events = events;
    this.#happen = happen;
    this.#happened = happened;
  }

  /** The next one of its kind. @returns what happens to it */
  at(on: 'change' | 'read' | 'commit'): { readonly kind: CallFault; readonly ms: number } | undefined {
    const at = ++this.counts[on];
    if (this.isOver) return undefined;
    for (const event of this.#events) {
      if (event.on === 'message' || event.on !== on || event.at !== at) continue;
      this.hasHappened = true;
      this.#happened(`${event.what.kind} at ${on}`);
      return event.what;
    }
    return undefined;
  }

  message(): void {
    const at = ++this.counts.message;
    if (this.isOver) return;
    for (const event of this.#events) if (event.on === 'message' && event.at === at) this.#happen(event.what);
  }
}
