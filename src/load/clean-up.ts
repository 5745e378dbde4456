import { ClfsError } from '../error.js';
import { objectNamePrefix } from '../format/names.js';
import type { RecordedLeftover } from '../state/leftovers.js';
import { blockNames } from '../worker/indirect-blocks.js';
import { type EndTools, requireGoOn, waitForLatePuts } from './end-tools.js';
import { LeftoverGuard, type Verdict } from './guard.js';
import { mapInFlight } from './in-flight.js';
import type { JobContext } from './job-context.js';
import { judgeOld } from './old-leftovers.js';
import { openPresence, type Presence } from './presence.js';

/** For so many the container is looked at, at most by one listing. */
const LEFTOVERS_AT_ONCE = 8192;
const LOOKS_IN_FLIGHT = 16;
const DELETES_IN_FLIGHT = 32;
const REASONS_SHOWN = 3;

/**
 * Removes what lost and superseded tries have left, once no put of them can still arrive. Each is looked at first.
 *
 * @throws ClfsError `unsafe-removal` when a removal would take away what counts: it is left, and never tried again;
 * `cancelled`; whatever the container throws
 */
export async function cleanUp(context: JobContext, tools: EndTools): Promise<void> {
  const { state } = context;
  // A service that does not give back what was put cannot be looked at: nothing is removed.
  if (!state.record.readsBack) return;
  if (state.leftovers.hasAny()) {
    await waitForLatePuts(tools);
    // What version 0.1.0 recorded is judged twice: an inode that goes takes with it what it names.
    for (const last of [false, true]) {
      for (let after = 0; ; ) {
        const page = state.leftovers.list(after, LEFTOVERS_AT_ONCE);
        if (page.length === 0) break;
        requireGoOn(tools.signal);
        const handles = page.flatMap(({ leftover: { handle } }) => (handle ? [handle] : []));
        const guard = new LeftoverGuard(context, tools, handles);
        const presence = await openPresence(tools.work.container, handles, state.tally.count);
        await cleanUpPage(context, tools, { guard, presence, last }, page);
        after = page[page.length - 1].id;
      }
    }
  }
  const refused = state.leftovers.refused(REASONS_SHOWN);
  if (refused.length > 0) {
    throw new ClfsError(
      'unsafe-removal',
      `The job wanted to remove what counts in the container, and has not done it: ${refused.join('; ')}. This is a fault of clfsload: please report it with the job's log. Check the container by "clfsload fsck", and load anew into an empty one.`,
    );
  }
}

/** By what a left-over is looked at. */
interface Look {
  readonly guard: LeftoverGuard;
  readonly presence: Presence;
  /** Whether what version 0.1.0 recorded and is refused is given up. */
  readonly last: boolean;
}

async function cleanUpPage(
  context: JobContext,
  tools: EndTools,
  look: Look,
  page: readonly RecordedLeftover[],
): Promise<void> {
  const { state, log } = context;
  const { container } = tools.work;
  const verdicts = await mapInFlight(page, LOOKS_IN_FLIGHT, (row) => judge(row, tools, look));
  const names = verdicts.flatMap((verdict) => ('remove' in verdict ? [verdict.remove] : []));
  for (const generator of names) {
    await inBatches(generator, DELETES_IN_FLIGHT, async (batch) => {
      requireGoOn(tools.signal);
      await Promise.all(batch.map((name) => container.delete(name)));
    });
  }
  await container.flush();
  state.transact(() => {
    for (const [at, verdict] of verdicts.entries()) {
      const { id, old } = page[at];
      if ('refuse' in verdict && !old) {
        log.write('ERROR', `a removal is refused: ${verdict.refuse}`);
        state.leftovers.refuse(id, verdict.refuse);
        continue;
      }
      if ('refuse' in verdict && !look.last) continue;
      if ('refuse' in verdict) log.write('WARNING', `a left-over that version 0.1.0 recorded stays: ${verdict.refuse}`);
      state.leftovers.drop(id);
    }
  });
}

async function judge(row: RecordedLeftover, tools: EndTools, { guard, presence }: Look): Promise<Verdict> {
  if (row.old) return judgeOld(row.leftover, tools, guard, presence);
  const { leftover } = row;
  const listed = await presence.versions(leftover.handle);
  const mine = listed.filter(({ key }) => key.version === leftover.version).map(({ name }) => name);
  const reason = tools.guarded ? await guard.whyNot(leftover, listed, mine) : undefined;
  if (reason !== undefined) return { refuse: `${objectNamePrefix(leftover.handle)}: ${reason}` };
  return { remove: namesOf(mine, blockNames(leftover, tools.work), presence.blocks(leftover.handle)) };
}

/** @param present blocks that are there; undefined when that is not known: then each is removed, there or not */
function* namesOf(
  inodes: readonly string[],
  blocks: Iterable<string>,
  present: ReadonlySet<string> | undefined,
): Generator<string> {
  yield* inodes;
  if (present?.size === 0) return;
  for (const name of blocks) if (!present || present.has(name)) yield name;
}

async function inBatches<T>(
  items: Iterable<T>,
  size: number,
  use: (batch: readonly T[]) => Promise<void>,
): Promise<void> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    await use(batch);
    batch = [];
  }
  if (batch.length > 0) await use(batch);
}
