import type { Work } from '../../engine/work.js';
import { LookStatus } from '../../state/schema.js';
import type { LoadKinds } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { ListingInProgress } from '../record-listing.js';
import { LIST_UNITS, work } from './work.js';

/** Failed entries that are looked at by one task. */
const NAMES_A_LOOK = 4096;

/** Looks again at entries of a directory that had failed. @param ended called when that has ended, well or not */
export function lookWork(context: JobContext, directory: number, ended: () => void): Work<LoadKinds> {
  const { state } = context;
  const listing = new ListingInProgress(directory);
  const wanted = state.failures.wanted(directory, NAMES_A_LOOK + 1);
  const looked = wanted.slice(0, NAMES_A_LOOK);
  return work('look', {
    task: { place: context.directory(directory).place, names: looked.map(({ name }) => name) },
    units: LIST_UNITS,
    part: (part) => listing.addPart(part, context),
    done(result) {
      ended();
      listing.finishLook(result, looked, wanted.length > looked.length, context);
    },
    lost() {
      ended();
      listing.discard(context);
      state.directories.setLook(directory, LookStatus.wanted);
    },
  });
}
