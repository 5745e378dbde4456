import type { Authorization } from '../container/azure/blob-service.js';
import type { ContainerPlace } from '../container/open-container.js';
import type { ErrorCode } from '../error.js';
import type { Selection } from '../source/selection.js';
import type { JobConstants, ListPart, Task, TaskResult } from './tasks.js';

/** What a thread needs to know before its first task. */
export interface ThreadSetup {
  readonly slot: number;
  readonly source: Uint8Array;
  readonly selection: Selection;
  readonly place: ContainerPlace;
  readonly authorization: Authorization;
  readonly constants: JobConstants;
  readonly traffic: SharedArrayBuffer;
  readonly retryWindowMs: number;
  /** Requests in flight of this thread; undefined: adapted. */
  readonly concurrency: number | undefined;
  /** Megabits per second of all threads together; 0: no cap. */
  readonly capMbps: number;
  readonly lateArrivalMs: number | undefined;
}

/** What the main thread says; the set-up comes first. */
export type ToThread =
  | { readonly kind: 'setup'; readonly setup: ThreadSetup }
  | { readonly kind: 'task'; readonly number: number; readonly task: Task }
  | { readonly kind: 'authorize'; readonly authorization: Authorization };

/** What a thread says. Errors travel as code and message: a class does not survive the way. */
export type FromThread =
  | { readonly kind: 'part'; readonly number: number; readonly part: ListPart }
  | { readonly kind: 'done'; readonly number: number; readonly result: TaskResult }
  | { readonly kind: 'failed'; readonly number: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'log'; readonly text: string };
