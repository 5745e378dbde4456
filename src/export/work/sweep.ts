import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import type { ExportJobContext } from '../job-context.js';
import type { ExportKinds } from '../tasks/kinds.js';
import { OBJECT_UNITS, OWN_LANE, work } from './work.js';

/** Removes what tries that were given up have left in a directory, when nothing of them can arrive any more. */
export function sweepWork(context: ExportJobContext, directory: number): Work<ExportKinds> {
  const { state } = context;
  // It takes its times again.
  state.directories.reopen(directory);
  return work('sweep', {
    task: { path: context.path(directory) },
    units: OBJECT_UNITS,
    // Nobody else removes what is not his own.
    lane: OWN_LANE,
    done({ broken }, turn) {
      if (broken) turn.stop(errorOf(broken));
      else state.leftovers.delete(directory);
    },
  });
}
