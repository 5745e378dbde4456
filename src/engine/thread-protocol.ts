import type { ErrorCode } from '../error.js';
import type { Kinds, PartMessage, ResultMessage, TaskMessage } from './kinds.js';

/** What is said to a thread; the set-up comes first. */
export type ToThread<M extends Kinds<M>, Setup, Update> =
  | { readonly say: 'open'; readonly setup: Setup }
  | { readonly say: 'task'; readonly ticket: number; readonly task: TaskMessage<M> }
  | { readonly say: 'update'; readonly update: Update }
  | { readonly say: 'stop' | 'abandon' };

/** What a thread says. Errors are sent as code and message, since their class would be lost. */
export type FromThread<M extends Kinds<M>> =
  | { readonly say: 'part'; readonly ticket: number; readonly part: PartMessage<M> }
  | { readonly say: 'done'; readonly ticket: number; readonly result: ResultMessage<M> }
  | { readonly say: 'failed'; readonly ticket: number; readonly code: ErrorCode; readonly message: string }
  | { readonly say: 'log'; readonly text: string; readonly detail: boolean };
