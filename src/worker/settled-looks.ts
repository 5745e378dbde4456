import { changedMs, isLongPast, settledLook } from '../source/settled.js';
import { entryFailure, type SourceAttributes, type SourceTree } from '../source/source-tree.js';
import type { SourceTurn } from '../source/source-turns.js';
import { stopped } from './breakage.js';
import type { WorkContext } from './context.js';

/** What is given up while an entry settles, and taken again. */
export interface Aside {
  giveUp(): void;
  takeAgain(): void | Promise<void>;
}

/**
 * Whether an open file is, for sure, what its name led to when it was opened, as almost all are: it has a name, and its
 * latest change is so long past that it came before. Then a later look at the open file tells what comes after, too. Of
 * any other the name must be asked again once it has been read: who takes a name away, or gives it to another file,
 * changes what is open, which from then on has attributes that it never had under that name.
 *
 * Where calls are answered at once this is asked before {@link lookAtSettled}: an await for each file would be felt.
 *
 * @param openedMs milliseconds since 1970, before it was opened
 */
export function hasItsName({ source }: WorkContext, seen: SourceAttributes, openedMs: number): boolean {
  return seen.linkCount > 0 && changedMs(seen) <= openedMs && isLongPast(seen, openedMs, hasOtherClocks(source));
}

/** Whether times of entries may be by clocks of other machines, be it of a file system that is mounted below. */
function hasOtherClocks({ isRemote, mayHang }: SourceTree): boolean {
  return isRemote === true || mayHang === true;
}

/** A turn at the source is given up. */
export function asideOf(turn: SourceTurn): Aside {
  return { giveUp: () => turn.pause(), takeAgain: () => turn.resume() };
}

/**
 * Looks at an entry with which later looks are compared, in a lane: see {@link settledLook}.
 *
 * @throws ClfsError `entry`: `entry-changed` when it changes all the time; `cancelled` when the job stops; what `look`
 * throws
 */
export async function lookAtSettled(
  context: WorkContext,
  look: () => SourceAttributes | Promise<SourceAttributes>,
  aside?: Aside,
): Promise<SourceAttributes> {
  const { seen, isSettled } = await lookUntilSettled(context, look, aside);
  if (isSettled) return seen;
  throw changesTooOften();
}

/** The failure of an entry that does not settle. */
export function changesTooOften(): Error {
  return entryFailure('entry-changed', 'it changes so often that a change while it is read could not be told');
}

/** The same of an entry that may change all the time, with whatever was seen last. */
export async function lookUntilSettled(
  { source, clock, stop }: WorkContext,
  look: () => SourceAttributes | Promise<SourceAttributes>,
  aside?: Aside,
): Promise<{ readonly seen: SourceAttributes; readonly isSettled: boolean }> {
  return settledLook(look, {
    isRemote: hasOtherClocks(source),
    now: () => clock.now(),
    async sleep(ms) {
      aside?.giveUp();
      await clock.sleep(ms, stop.controller.signal);
      if (stop.asked) throw stopped();
      await aside?.takeAgain();
    },
  });
}
