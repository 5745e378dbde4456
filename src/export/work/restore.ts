import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import { ObjectType } from '../../format/ids.js';
import { quotePath } from '../../text/escape-path.js';
import type { ExportJobContext } from '../job-context.js';
import type { DirectoryRecord } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import type { TargetPlace } from '../target/target-tree.js';
import type { ExportKinds } from '../tasks/kinds.js';
import { work } from './work.js';

/** Gives directories their attributes. @param lane that does it; undefined: any */
export function restoreWork(
  context: ExportJobContext,
  directories: readonly DirectoryRecord[],
  lane: number | undefined,
): Work<ExportKinds> {
  const { state } = context;
  let above: { readonly id: number; readonly place: TargetPlace } | undefined;
  const places = directories.map(({ id, parent, name, filled, attributes }) => {
    if (!attributes) throw new Error(`The attributes of the directory ${id} are not known.`);
    // Those of one parent are side by side.
    if (above?.id !== parent) above = { id: parent, place: context.place(parent || id) };
    return { ...above.place, name, attributes, isFilled: filled };
  });
  return work('restore', {
    task: { directories: places },
    units: directories.length + 1,
    lane,
    subject: () => quotePath(context.path(directories[0].id)),
    done({ outcomes, broken }, turn) {
      for (const [index, problem] of outcomes.entries()) {
        const { id, parent, name, handle, partial, counted } = directories[index];
        state.directories.setStatus(id, problem ? DirectoryStatus.failed : DirectoryStatus.restored);
        if (!problem && parent !== 0) state.directories.setFilled(parent);
        if (problem) context.fail({ directory: parent, name, handle }, problem);
        else if (!partial && !counted) {
          state.directories.setCounted(id);
          state.count({ written: 1 });
          context.census.addOne(parent, ObjectType.directory, undefined);
        }
      }
      if (broken) turn.stop(errorOf(broken));
    },
  });
}
