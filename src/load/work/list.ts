import type { Work } from '../../engine/work.js';
import { quotePath } from '../../text/escape-path.js';
import type { LoadKinds } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { ListingInProgress } from '../record-listing.js';
import { LIST_UNITS, work } from './work.js';

/** Lists a directory. @param ended called when the listing has ended, well or not */
export function listWork(context: JobContext, directory: number, ended: () => void): Work<LoadKinds> {
  const listing = new ListingInProgress(directory);
  return work('list', {
    task: { place: context.directory(directory).place, countUnstorable: context.progress.countsListed() },
    units: LIST_UNITS,
    part: (part) => listing.addPart(part, context),
    done(result) {
      ended();
      listing.finish(result, context);
    },
    losses: context.losses.take(`list ${directory}`),
    subject: () => quotePath(context.directory(directory).path),
    lost(_turn, losses) {
      context.losses.set(`list ${directory}`, losses);
      ended();
      listing.discard(context);
      context.state.directoryLife.loseListing(directory);
    },
  });
}
