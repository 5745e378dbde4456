import type { WorkerStatus } from '../join/worker-status.js';
import { escapeLine } from '../text/escape-path.js';
import type { PageWorker, PageWorkers } from './model.js';

/** More are counted, and not listed: what is told anew each second stays small. */
const MOST_ROWS = 100;

/** What a page shows of workers; nothing where there are none. */
export function pageWorkers(workers: readonly WorkerStatus[] = []): PageWorkers {
  const rows = workers.map(rowOf);
  const gone = rows.filter(({ goneMs }) => goneMs !== undefined).sort((a, b) => (b.goneMs ?? 0) - (a.goneMs ?? 0));
  const present = rows.filter(({ goneMs }) => goneMs === undefined);
  const wanting = present.filter(needsLook);
  const ordered = [...wanting, ...present.filter((row) => !needsLook(row)), ...gone];
  return {
    present: present.length,
    slow: present.filter(({ slow }) => slow).length,
    troubled: present.filter(({ trouble }) => trouble !== undefined).length,
    gone: gone.length,
    rows: ordered.slice(0, MOST_ROWS),
  };
}

function needsLook({ slow, trouble }: PageWorker): boolean {
  return slow || trouble !== undefined;
}

/** What a worker says of itself is escaped by the driver already, and here for whoever has written the file. */
function rowOf({ name, since, megabitsPerSecond, trouble, gone, ...worker }: WorkerStatus): PageWorker {
  const { threads, tasks, unitsPerSecond, units, bytes, slow } = worker;
  return {
    name: escapeLine(name),
    threads,
    sinceMs: Date.parse(since),
    tasks,
    unitsPerSecond,
    bytesPerSecond: (megabitsPerSecond * 1e6) / 8,
    units,
    bytes,
    slow,
    ...(trouble === undefined ? {} : { trouble: escapeLine(trouble) }),
    ...(gone === undefined ? {} : { goneMs: Date.parse(gone) }),
  };
}
