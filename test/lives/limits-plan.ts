import type { Happening, LifeEvent } from './events.js';
import { drawLimits } from './limits.js';
import { drawAction, drawLife, KINDS, type Life, type SessionPlan, type Span } from './plan.js';
import { Random } from './random.js';
import { MANY_NAMES, type SourceAction } from './source-actions.js';

/** Directories of many entries, which take many steps where limits are small. */
const WIDE: Span = {
  fewestEntries: 12,
  furtherEntries: 24,
  firstSeed: MANY_NAMES,
  kinds: [...KINDS, ...new Array<'file'>(8).fill('file')],
  calls: 160,
  commits: 120,
  sourceCalls: 400,
  timers: 300,
};

/** Draws a life with small limits. */
export function drawLimitsLife(seed: number): Life {
  const life = drawLife(seed, WIDE);
  const random = new Random(seed + 0.375);
  const limits = drawLimits(random);
  const troubles = life.sessions.map((session, index) =>
    random.chance(40) ? troubled(session, index, random) : session,
  );
  const tellsBirth = random.chance(70);
  if (troubles.length > 1 && random.chance(15))
    return { ...life, unchecked: false, sessions: withOlderState(troubles, random), limits, tellsBirth };
  if (!random.chance(35)) return { ...life, sessions: troubles, limits, tellsBirth };
  const tree = life.tree.map((entry) => ({ ...entry, isMounted: random.chance(40) }));
  const sessions = troubles.map((session, index) => withMounts(session, index, { random, tellsBirth }));
  return { ...life, tree, sessions, limits, tellsBirth };
}

/** The same, with a copy of the state that is made at some time, and put in its place later. */
function withOlderState(sessions: readonly SessionPlan[], random: Random): SessionPlan[] {
  const copied = random.below(sessions.length - 1);
  const restored = copied + 1 + random.below(sessions.length - 1 - copied);
  return sessions.map((session, index) => {
    const before = index === restored ? [{ kind: 'restore state' } as const, ...session.before] : session.before;
    if (index !== copied) return { ...session, before };
    const copy: LifeEvent = { on: 'commit', at: 3 + random.small(WIDE.commits / 3), what: { kind: 'copy state' } };
    return { ...session, before, events: [...session.events, copy] };
  });
}

/**
 * The same, while a file system comes and goes: it is mounted when the job begins. It may come back by another name,
 * where it is known when its root was made: without that it may be any.
 */
function withMounts(
  session: SessionPlan,
  index: number,
  { random, tellsBirth }: { readonly random: Random; readonly tellsBirth: boolean },
): SessionPlan {
  const mount = (): Happening =>
    tellsBirth && random.chance(25) ? { kind: 'rename mount' } : { kind: 'mount', isMounted: random.chance(50) };
  const before = index > 0 && random.chance(50) ? [...session.before, mount()] : session.before;
  const events = Array.from({ length: random.small(4) }, (): LifeEvent => {
    return { on: 'source', at: 1 + random.small(WIDE.sourceCalls), what: mount() };
  });
  return { ...session, before, events: [...session.events, ...events] };
}

/** The same, in which much of the source cannot be read, and directories have gone by the next one. */
function troubled(session: SessionPlan, index: number, random: Random): SessionPlan {
  const some = (kinds: readonly SourceAction['kind'][]): Happening[] =>
    Array.from({ length: 1 + random.below(5) }, () => ({
      kind: 'source',
      action: { ...drawAction(random, WIDE), kind: random.pick(kinds) },
    }));
  const locks = some(['lock directory', 'lock directory', 'lock file', 'remove directory']);
  const events = locks.map((what): LifeEvent => ({ on: 'source', at: 1 + random.below(WIDE.sourceCalls / 2), what }));
  const before =
    index === 0 ? [] : some(['unlock directory', 'rename directory', 'replace directory', 'remove directory']);
  return {
    ...session,
    before: [...session.before, ...before],
    maxErrors: 50,
    events: [...session.events, ...events],
  };
}
