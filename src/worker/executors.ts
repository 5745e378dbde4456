import type { Executors } from '../engine/kinds.js';
import type { WorkContext } from './context.js';
import { listDirectory, lookAtEntries } from './list-directory.js';
import { loadFiles } from './load-files.js';
import { finishLarge, loadSegments } from './load-large.js';
import { loadLinked } from './load-linked.js';
import { surveyContainer } from './survey.js';
import type { LoadKinds } from './tasks.js';
import { writeDirectory } from './write-directory.js';

/**
 * What a lane of a load does. What the source does wrong is in the result, and so is what ended a task that had
 * something acknowledged.
 *
 * They throw a ClfsError when the container or the program fails and nothing of the task counts: the job stops.
 */
export const LOAD_EXECUTORS: Executors<LoadKinds, WorkContext> = {
  list: listDirectory,
  look: lookAtEntries,
  files: loadFiles,
  linked: loadLinked,
  segments: loadSegments,
  finishLarge,
  directory: writeDirectory,
  survey: surveyContainer,
};
