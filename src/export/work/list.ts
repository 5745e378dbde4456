import type { Work } from '../../engine/work.js';
import { quotePath } from '../../text/escape-path.js';
import type { ExportJobContext } from '../job-context.js';
import type { DirectoryRecord } from '../state/directories.js';
import { DirectoryStatus } from '../state/schema.js';
import type { ExportKinds, ListPart, ListResult } from '../tasks/kinds.js';
import { EntryPacker } from '../tasks/packed-entries.js';
import { OBJECT_UNITS, work } from './work.js';

const NO_HANDLE = new Uint8Array(0);

/** Makes and reads a directory that is claimed. @param ended called when that has come to an end, whichever */
export function listWork(context: ExportJobContext, directory: DirectoryRecord, ended: () => void): Work<ExportKinds> {
  const { id, handle, listed } = directory;
  const key = `list ${id}`;
  return work('list', {
    task: {
      ...context.place(id),
      handle,
      listed,
      folding: context.foldingAbove(id),
      attempt: context.nextAttempt(),
    },
    units: OBJECT_UNITS,
    part: (part) => recordPart(context, id, part),
    done(result) {
      ended();
      recordListed(context, directory, result);
    },
    losses: context.takeLosses(key),
    subject: () => quotePath(context.path(id)),
    lost(_turn, losses) {
      ended();
      context.lost(key, losses, [id]);
      context.state.directories.setStatus(id, DirectoryStatus.found);
    },
  });
}

function recordPart(context: ExportJobContext, directory: number, part: ListPart): void {
  const { state } = context;
  context.noteFolding(directory, part.folding);
  for (const { count, entries } of part.chunks) state.chunks.add(directory, count, entries);
  for (const { name, handle } of part.directories) context.foundDirectory(directory, name, handle);
  for (const { name, ...problem } of part.failures) context.fail({ directory, name, handle: NO_HANDLE }, problem);
  state.count({ excluded: part.excluded });
  state.directories.setListed(directory, part.listed);
}

function recordListed(
  context: ExportJobContext,
  directory: DirectoryRecord,
  { attributes, problem, leaves, stopped }: ListResult,
): void {
  const { directories, chunks } = context.state;
  const { id, parent, name, handle } = directory;
  if (attributes) directories.setRead(id, attributes);
  if (leaves) context.state.leftovers.add(id);
  if (problem) context.fail({ directory: parent, name, handle }, problem);
  else if (!attributes) {
    // Its id says that it is a directory, and its inode that it is none.
    directories.delete(id);
    const packer = new EntryPacker();
    packer.add(name, handle);
    chunks.add(parent, 1, packer.take().entries);
    return;
  }
  directories.setPartial(id, problem !== undefined);
  directories.setStatus(
    id,
    stopped ? DirectoryStatus.found : attributes ? DirectoryStatus.open : DirectoryStatus.failed,
  );
}
