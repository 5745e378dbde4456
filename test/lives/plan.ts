import { fileBlockCount } from '../../src/format/geometry.js';
import { SMALL } from '../support/check.js';
import type { Weather } from '../support/memory-server.js';
import { LATE_MS } from './caller.js';
import {
  CALL_FAULTS,
  COMMIT_FAULTS,
  CREW_HAPPENINGS,
  FREEZES,
  type Happening,
  type LifeEvent,
  SOURCE_FAULTS,
} from './events.js';
import type { Limits } from './limits.js';
import { Random } from './random.js';
import { SOURCE_ACTIONS, type SourceAction } from './source-actions.js';

/** An entry of the tree as it is before the job. */
export interface SeedEntry {
  readonly kind: 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'char' | 'link';
  /** Which of the directories it is in, and for a link which of the files it is. */
  readonly pick: number;
  readonly seed: number;
  readonly size: number;
  /** It is on a file system that is mounted in that of the root. */
  readonly isMounted?: boolean;
}

/** One session of a job, and what happens before it. */
export interface SessionPlan {
  readonly pauseMs: number;
  readonly before: readonly Happening[];
  /** The machine was started again: devices have other numbers, and its steady clock begins anew. */
  readonly reboot: boolean;
  readonly maxErrors: number;
  readonly events: readonly LifeEvent[];
}

/** A whole life as data: the same each time, and it can be made smaller. */
export interface Life {
  readonly seed: number;
  readonly preserveHardLinks: boolean;
  readonly compress: boolean;
  readonly manifest: boolean;
  /** Neither guard nor books: what must hold by construction. */
  readonly unchecked: boolean;
  readonly reuseInodes: boolean;
  readonly tellsTypes: boolean;
  /** Whether the source knows when a directory was made. */
  readonly tellsBirth: boolean;
  readonly tree: readonly SeedEntry[];
  readonly sessions: readonly SessionPlan[];
  /** The source is called by calls that leave the loader free. */
  readonly asyncSource: boolean;
  /** Steps of the clock from which a change of the source has its time: a step for each change, or one in so long. */
  readonly sourceClock: SourceClock;
  /** Workers on other machines; undefined: there are none. */
  readonly crew?: CrewPlan;
  /** Limits of the program that are small; undefined: none is. */
  readonly limits?: Limits;
}

/** Clocks of file systems: an exact one, the kernel's of every ten milliseconds, Lustre's. */
const SOURCE_CLOCKS = [...new Array<'exact'>(6).fill('exact'), 'jiffies', 'seconds'] as const;
type SourceClock = (typeof SOURCE_CLOCKS)[number];

/** Workers on other machines. */
export interface CrewPlan {
  readonly workers: number;
  readonly leaseMs: number;
  /** The driver leaves all work to them. */
  readonly onlyWorkers: boolean;
  /** Bytes of a message, at most. */
  readonly longestBytes: number;
  readonly weather: Weather;
}

const { firstSegmentBytes, fileSegmentBytes } = SMALL;
const BOUNDARIES = [0, 1, 2, 3, 5, 6, 8].map((segments) => firstSegmentBytes + segments * fileSegmentBytes);
/** Kinds of entries and how often they are drawn. */
export const KINDS: readonly SeedEntry['kind'][] = [
  ...new Array<'file'>(9).fill('file'),
  ...new Array<'directory'>(5).fill('directory'),
  ...new Array<'link'>(5).fill('link'),
  'symlink',
  'symlink',
  'fifo',
  'socket',
  'char',
];

/** How much there is of what is drawn, at most. */
export interface Span {
  readonly fewestEntries: number;
  readonly furtherEntries: number;
  /** Entries that there are beside each other have these. */
  readonly firstSeed: number;
  readonly kinds: readonly SeedEntry['kind'][];
  /** How far into a session the things happen that are drawn; most happen early, since many sessions are short. */
  readonly calls: number;
  readonly commits: number;
  readonly sourceCalls: number;
  readonly timers: number;
}

const USUAL: Span = {
  fewestEntries: 4,
  furtherEntries: 12,
  firstSeed: 0,
  kinds: KINDS,
  calls: 60,
  commits: 30,
  sourceCalls: 150,
  timers: 100,
};

/** Draws a life. Each seed gives another one, and always the same. */
export function drawLife(seed: number, span = USUAL): Life {
  const random = new Random(seed);
  const life: Life = {
    seed,
    preserveHardLinks: random.chance(70),
    compress: random.chance(50),
    manifest: random.chance(40),
    unchecked: random.chance(50),
    reuseInodes: random.chance(40),
    tellsTypes: random.chance(85),
    tellsBirth: true,
    tree: Array.from({ length: span.fewestEntries + random.below(span.furtherEntries) }, () => drawEntry(random, span)),
    sessions: Array.from({ length: 1 + random.below(5) }, (_, index) => drawSession(random, index, span)),
    asyncSource: random.chance(50),
    sourceClock: random.pick(SOURCE_CLOCKS),
  };
  if (life.sourceClock === 'exact') return life;
  // What such a clock hides is a file that is written anew.
  const again = new Random(seed + 0.125);
  const sessions = life.sessions.map((session) => {
    const events = session.events.map((event) => (again.chance(70) ? rewriting(event) : event));
    return { ...session, events };
  });
  return { ...life, sessions };
}

/** The same, with a file that is written anew where something happens to the source. */
function rewriting(event: LifeEvent): LifeEvent {
  const { what } = event;
  if (what.kind !== 'source') return event;
  return { ...event, what: { ...what, action: { ...what.action, kind: 'rewrite' } } } as LifeEvent;
}

/** Draws a life with workers: like the one without that has the same seed, with further events. */
export function drawWorkersLife(seed: number): Life {
  const life = drawLife(seed);
  const random = new Random(seed + 0.75);
  const leaseMs = random.pick([2000, 5000, 12_000]);
  const rough = random.chance(60);
  const crew = {
    workers: 3,
    leaseMs,
    onlyWorkers: random.chance(70),
    longestBytes: random.pick([2048, 3000, 1_048_576]),
    weather: {
      dropped: rough ? random.below(15) : 0,
      doubled: rough ? random.below(15) : 0,
      delayed: rough ? random.below(15) : 0,
      longestDelayMs: 1 + random.below(15_000),
    },
  };
  if (random.chance(15)) return { ...life, crew, sessions: drawOrphanedCrew(random, leaseMs) };
  const sessions = life.sessions.slice(0, MOST_SESSIONS).map((session) => {
    const events = Array.from({ length: random.below(6) }, () => drawCrewEvent(random, leaseMs));
    return { ...session, events: [...session.events, ...events] };
  });
  return { ...life, crew, sessions };
}

/** Some of the workers are frozen while their driver dies, and go on, slowly, while the next session is at work. */
function drawOrphanedCrew(random: Random, leaseMs: number): SessionPlan[] {
  const before: Happening[] = [];
  const session: SessionPlan = { pauseMs: 0, before, reboot: false, maxErrors: 50, events: [] };
  const slowly = { kind: 'puts take long', pick: 0, ms: 1000 + random.below(leaseMs + LATE_MS) } as const;
  const freezes = Array.from({ length: 3 }, (): LifeEvent => {
    const ms = Math.floor(leaseMs * (0.3 + random.below(65) / 100));
    return { on: 'call', at: 4 + random.below(14), what: { kind: 'freeze before', ms } };
  });
  const events: LifeEvent[] = [
    { on: 'message', at: 1 + random.below(60), what: slowly },
    ...freezes,
    { on: 'commit', at: 7 + random.below(6), what: { kind: 'crash after' } },
  ];
  return [{ ...session, events }, session];
}

/** Sessions of a life with workers, at most. */
const MOST_SESSIONS = 3;
const MESSAGES = 500;

function drawCrewEvent(random: Random, leaseMs: number): LifeEvent {
  const ms = random.chance(40) ? random.below(leaseMs) : leaseMs + random.below(60_000);
  if (random.chance(35))
    return { on: 'call', at: 1 + random.small(USUAL.calls), what: { kind: random.pick(FREEZES), ms } };
  const what = { kind: random.pick(CREW_HAPPENINGS), pick: random.below(1000), ms };
  return { on: 'message', at: 1 + random.small(MESSAGES), what };
}

function drawEntry(random: Random, { kinds, firstSeed }: Span): SeedEntry {
  const kind = random.pick(kinds);
  return { kind, pick: random.below(1000), seed: firstSeed + random.below(SEEDS), size: drawSize(random) };
}

const SEEDS = 100_000;

/** At a boundary of the geometry, just below or above one, or anywhere. */
function drawSize(random: Random): number {
  if (random.chance(20)) return random.below(3);
  if (random.chance(30)) return random.below(2 * fileSegmentBytes);
  return Math.max(0, random.pick(BOUNDARIES) + random.below(3) - 1);
}

function drawSession(random: Random, index: number, span: Span): SessionPlan {
  const before: Happening[] = [];
  if (index > 0) for (let count = random.small(5); count > 0; count--) before.push(drawHappening(random, true, span));
  return {
    pauseMs: random.pick([0, 1000, 5000, 9000, 20_000]),
    before,
    reboot: index > 0 && random.chance(15),
    maxErrors: random.pick([0, 0, 1, 3, 50, 50]),
    events: Array.from({ length: random.below(8) }, () => drawEvent(random, span)),
  };
}

function drawEvent(random: Random, span: Span): LifeEvent {
  const on = random.pick(['call', 'call', 'call', 'commit', 'source', 'source', 'source', 'source', 'timer'] as const);
  const happens = on === 'timer' || random.chance(on === 'source' ? 88 : 40);
  switch (on) {
    case 'call': {
      const at = 1 + random.small(span.calls);
      if (happens) return { on, at, what: drawHappening(random, false, span) };
      return { on, at, what: { kind: random.pick(CALL_FAULTS), later: random.chance(50) ? 0 : 1 + random.below(60) } };
    }
    case 'commit': {
      const at = 1 + random.small(span.commits);
      return happens
        ? { on, at, what: drawHappening(random, false, span) }
        : { on, at, what: { kind: random.pick(COMMIT_FAULTS) } };
    }
    case 'source': {
      const at = 1 + random.small(span.sourceCalls);
      return happens
        ? { on, at, what: drawHappening(random, true, span) }
        : { on, at, what: { kind: random.pick(SOURCE_FAULTS) } };
    }
    case 'timer':
      return { on, at: 1 + random.small(span.timers), what: drawHappening(random, false, span) };
  }
}

function drawHappening(random: Random, mostlySource: boolean, span: Span): Happening {
  if (random.chance(mostlySource ? 92 : 50)) return { kind: 'source', action: drawAction(random, span) };
  const kind = random.pick(['signal', 'signal', 'clock', 'second process', 'second job'] as const);
  if (kind !== 'clock') return { kind };
  return { kind, ms: random.pick([-86_400_000, -15_000, 15_000, 86_400_000]) };
}

/** Draws something that happens to the source. */
export function drawAction(random: Random, { firstSeed }: Span): SourceAction {
  return {
    kind: random.pick(SOURCE_ACTIONS),
    pick: random.below(1000),
    other: random.below(1000),
    size: drawSize(random),
    seed: firstSeed + random.below(SEEDS),
  };
}

/** A life in a few lines: what it begins with and what is planned. */
export function describeLife(life: Life): string {
  const { preserveHardLinks, compress, manifest, unchecked, reuseInodes, tellsTypes, tellsBirth } = life;
  const { asyncSource, sourceClock } = life;
  const flags = {
    preserveHardLinks,
    compress,
    manifest,
    unchecked,
    reuseInodes,
    tellsTypes,
    tellsBirth,
    asyncSource,
  };
  const on = Object.entries(flags).map(([name, value]) => (value ? name : `no ${name}`));
  const large = life.tree.filter(({ kind, size }) => kind === 'file' && fileBlockCount(size, SMALL) > 2).length;
  const { crew, limits } = life;
  const workers = crew ? `; ${JSON.stringify(crew)}` : '';
  return `seed ${life.seed}: ${on.join(', ')}, ${sourceClock} clock; ${life.tree.length} entries, ${large} large files${workers}${limits ? `; limits ${JSON.stringify(limits)}` : ''}`;
}
