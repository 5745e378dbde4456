import type { CommandFigures } from './command-content.js';
import type { FoundBatch } from './found.js';
import type { PageEnding } from './model.js';
import type { PagePlace } from './server.js';

/** What the thread of a page is given: its workerData. */
export interface PageThreadSetup {
  readonly place: PagePlace;
  /** The job's, absolute; undefined for a command without a state, and where it is not known yet. */
  readonly statePath: string | undefined;
  /** What the command is. */
  readonly command: { readonly title: string; readonly from: string; readonly to: string } | undefined;
}

/** What the thread is told. */
export type ToPageThread =
  | { readonly kind: 'job'; readonly statePath: string }
  | { readonly kind: 'figures'; readonly figures: CommandFigures }
  | { readonly kind: 'line'; readonly text: string }
  | { readonly kind: 'found'; readonly batch: FoundBatch }
  | { readonly kind: 'end'; readonly ending: PageEnding | undefined };

/** What the thread tells. */
export type FromPageThread =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'refused'; readonly message: string }
  | { readonly kind: 'closed' };
