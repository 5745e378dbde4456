import type { Executors } from '../../engine/kinds.js';
import type { ExportContext } from './context.js';
import { writeFiles } from './files.js';
import type { ExportKinds } from './kinds.js';
import { beginLarge, endLarge, writeRange } from './large.js';
import { writeLinked } from './linked.js';
import { listDirectory } from './list.js';
import { restoreDirectories } from './restore.js';
import { sweepDirectory } from './sweep.js';

/**
 * What a lane of an export does. What is wrong with an entry is in the result, and so is what ended a task that had
 * something done.
 *
 * They throw a ClfsError when the container, the target or the program fails and nothing of the task counts: the job
 * stops.
 */
export const EXPORT_EXECUTORS: Executors<ExportKinds, ExportContext> = {
  list: listDirectory,
  files: writeFiles,
  linked: writeLinked,
  beginLarge,
  range: writeRange,
  endLarge,
  restore: restoreDirectories,
  sweep: sweepDirectory,
};
