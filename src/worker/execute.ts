import type { WorkContext } from './context.js';
import { listDirectory, lookAtEntries } from './list-directory.js';
import { loadFiles } from './load-files.js';
import { finishLarge, loadSegments } from './load-large.js';
import { loadLinked } from './load-linked.js';
import { surveyContainer } from './survey.js';
import type { Task, TaskResult, TaskSink } from './tasks.js';
import { writeDirectory } from './write-directory.js';

/**
 * Does one task. What the source does wrong is in the result, and so is what ended a task that had something acknowledged.
 *
 * @throws ClfsError when the container or the program fails and nothing of the task counts: the job stops
 */
export function execute(task: Task, context: WorkContext, sink: TaskSink): Promise<TaskResult> {
  switch (task.kind) {
    case 'list':
      return listDirectory(task, context, sink);
    case 'look':
      return lookAtEntries(task, context, sink);
    case 'files':
      return loadFiles(task, context, sink);
    case 'linked':
      return loadLinked(task, context);
    case 'segments':
      return loadSegments(task, context, sink);
    case 'finish-large':
      return finishLarge(task, context);
    case 'directory':
      return writeDirectory(task, context);
    case 'survey':
      return surveyContainer(task, context);
  }
}
