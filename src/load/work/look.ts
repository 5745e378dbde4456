import type { Work } from '../../engine/work.js';
import type { FailureRecord } from '../../state/failures.js';
import { quotePath } from '../../text/escape-path.js';
import type { LoadKinds } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { recordFailure } from '../record-failure.js';
import { ListingInProgress } from '../record-listing.js';
import { proveFailed } from '../source-proof.js';
import { LIST_UNITS, work } from './work.js';

/** Failed entries that are looked at by one task. */
const NAMES_A_LOOK = 4096;

/**
 * Looks again at entries of a directory that had failed; inside a transaction. Those stay failed whose place is not
 * proven to be what it was.
 *
 * @param ended called when that has ended, well or not
 */
export function lookWork(context: JobContext, directory: number, ended: () => void): Work<LoadKinds> {
  const { state } = context;
  const wanted = state.failures.wanted(directory, NAMES_A_LOOK + 1);
  const problemOf = proveFailed(context, directory);
  const looked: FailureRecord[] = [];
  for (const failure of wanted.slice(0, NAMES_A_LOOK)) {
    const problem = problemOf(failure);
    if (!problem) looked.push(failure);
    // Each counts by itself: the one that counted for several may be loaded now.
    else recordFailure(context, { directory, name: failure.name, type: failure.type, ...problem });
  }
  const listing = new ListingInProgress(directory, looked);
  return work('look', {
    task: { place: context.directory(directory).place, names: looked.map(({ name }) => name) },
    units: LIST_UNITS,
    part: (part) => listing.addPart(part, context),
    done(result) {
      ended();
      listing.finishLook(result, wanted.length > NAMES_A_LOOK, context);
    },
    losses: context.losses.take(`look ${directory}`),
    subject: () => quotePath(context.directory(directory).path),
    lost(_turn, losses) {
      context.losses.set(`look ${directory}`, losses);
      ended();
      listing.discard(context);
      state.directoryLife.repeatLook(directory);
    },
  });
}
