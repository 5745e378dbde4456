import { CALM } from '../support/memory-server.js';
import type { Life, SessionPlan } from './plan.js';

/** Most tries in which a life is made smaller. */
const MOST_TRIES = 600;

/**
 * Makes a life that fails smaller, as long as it still fails: takes away sessions, events and entries, one after the
 * other.
 *
 * @param fails whether a life fails in the same way
 */
export async function shrink(life: Life, fails: (life: Life) => Promise<boolean>): Promise<Life> {
  let smallest = life;
  let tries = 0;
  for (let again = true; again; ) {
    again = false;
    for (const smaller of smallerThan(smallest)) {
      if (++tries > MOST_TRIES) return smallest;
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      again = true;
      break;
    }
  }
  return smallest;
}

/** Lives with one thing less, the largest steps first. */
function* smallerThan(life: Life): Generator<Life> {
  const { sessions, tree } = life;
  for (const index of sessions.keys()) if (sessions.length > 1) yield { ...life, sessions: without(sessions, index) };
  for (const [index, session] of sessions.entries()) {
    for (const smaller of smallerSessions(session))
      yield { ...life, sessions: sessions.map((same, at) => (at === index ? smaller : same)) };
  }
  for (const flag of ['manifest', 'compress', 'reuseInodes', 'preserveHardLinks'] as const)
    if (life[flag]) yield { ...life, [flag]: false };
  const { crew } = life;
  if (crew && crew.weather !== CALM) yield { ...life, crew: { ...crew, weather: CALM } };
  if (crew && crew.workers > 1) yield { ...life, crew: { ...crew, workers: 1 } };
  const { limits } = life;
  for (const key of Object.keys(limits ?? {})) {
    const { [key]: _, ...others } = limits ?? {};
    yield { ...life, limits: others };
  }
  if (!life.tellsTypes) yield { ...life, tellsTypes: true };
  if (!life.tellsBirth) yield { ...life, tellsBirth: true };
  if (tree.some(({ isMounted }) => isMounted)) yield { ...life, tree: tree.filter(({ isMounted }) => !isMounted) };
  for (const index of tree.keys()) if (tree.length > 1) yield { ...life, tree: without(tree, index) };
}

function* smallerSessions(session: SessionPlan): Generator<SessionPlan> {
  const { events, before } = session;
  if (events.length > 1) yield { ...session, events: [] };
  if (before.length > 1) yield { ...session, before: [] };
  for (const index of events.keys()) yield { ...session, events: without(events, index) };
  for (const index of before.keys()) yield { ...session, before: without(before, index) };
  if (session.reboot) yield { ...session, reboot: false };
}

function without<T>(list: readonly T[], index: number): readonly T[] {
  return [...list.slice(0, index), ...list.slice(index + 1)];
}
