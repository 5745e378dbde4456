import type { Authorization } from '../container/azure/blob-service.js';
import type { ErrorCode } from '../error.js';
import type { LaneSetup } from './open-lane.js';
import type { Task, TaskPart, TaskResult } from './tasks.js';

/** What a thread needs to know before its first task. */
export interface ThreadSetup extends LaneSetup {
  readonly authorization: Authorization;
  readonly traffic: SharedArrayBuffer;
  /** The thread's own place in the memory of `traffic`. */
  readonly slot: number;
}

/** What the main thread says; the set-up comes first. */
export type ToThread =
  | { readonly kind: 'setup'; readonly setup: ThreadSetup }
  | { readonly kind: 'task'; readonly number: number; readonly task: Task }
  | { readonly kind: 'authorize'; readonly authorization: Authorization }
  /** See `TaskRunner`. */
  | { readonly kind: 'stop' | 'abandon' };

/** What a thread says. Errors travel as code and message: a class does not survive the way. */
export type FromThread =
  | { readonly kind: 'part'; readonly number: number; readonly part: TaskPart }
  | { readonly kind: 'done'; readonly number: number; readonly result: TaskResult }
  | { readonly kind: 'failed'; readonly number: number; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'log'; readonly text: string };
