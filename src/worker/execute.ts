import type { WorkContext } from './context.js';
import { listDirectory } from './list-directory.js';
import { loadFiles, loadLinked } from './load-files.js';
import { finishLarge, loadSegments } from './load-large.js';
import type { DeleteResult, DeleteTask, Task, TaskResult, TaskSink } from './tasks.js';
import { writeDirectory } from './write-directory.js';

const DELETES_IN_FLIGHT = 32;

/**
 * Does one task. What the source does wrong is in the result.
 *
 * @throws ClfsError when the container or the program fails: the job stops
 */
export function execute(task: Task, context: WorkContext, sink: TaskSink): Promise<TaskResult> {
  switch (task.kind) {
    case 'list':
      return listDirectory(task, context, sink);
    case 'files':
      return loadFiles(task, context);
    case 'linked':
      return loadLinked(task, context);
    case 'segments':
      return loadSegments(task, context);
    case 'finish-large':
      return finishLarge(task, context);
    case 'directory':
      return writeDirectory(task, context);
    case 'delete':
      return deleteBlobs(task, context);
  }
}

async function deleteBlobs(task: DeleteTask, context: WorkContext): Promise<DeleteResult> {
  for (let at = 0; at < task.names.length; at += DELETES_IN_FLIGHT) {
    await Promise.all(task.names.slice(at, at + DELETES_IN_FLIGHT).map((name) => context.container.delete(name)));
  }
  await context.container.flush();
  return { kind: 'delete' };
}
