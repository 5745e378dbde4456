import type { Container } from '../container/container.js';
import type { Geometry } from '../format/geometry.js';
import type { IdentityOptions } from '../identity/identity.js';
import type { Compression, RunSettings } from '../job/load-spec.js';
import { LOG_LEVELS, type LogLevel } from '../log/job-log.js';
import { choiceOption, countOption, option } from '../option-checks.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { Selection } from '../source/selection.js';
import type { SourceTree } from '../source/source-tree.js';
import type { FailureGroup } from '../state/failure-groups.js';
import type { CommitHooks } from '../state/job-database.js';
import type { Clock } from '../time/clock.js';
import type { Phase, ProgressSnapshot } from './progress.js';

/** What to load, whereto, and how. What is left out of a load that goes on is as it was. */
export interface LoadOptions extends RunSettings {
  /** Directory to load; a path as text, or as bytes where its name is not UTF-8. Required for a new load. */
  readonly source?: string | Uint8Array;
  /**
   * Container URL with a SAS, `file://` URL or path of a local directory. Required for a new load, and to go on with
   * one whose container needs a SAS: it is recorded nowhere.
   */
  readonly destination?: string;
  /** Directory for the state of the job. */
  readonly statePath: string;
  /** Start a new job (default), or go on with the one at `statePath`. */
  readonly newSession?: boolean;
  /** Default LZ4. */
  readonly compression?: Compression;
  /** One inode for a file with several links, in place of one a path. Default false. */
  readonly preserveHardLinks?: boolean;
  /** What of the source is left out. Default: nothing. */
  readonly selection?: Selection;
  /** File that gets a line for every entry, as `manifest --hash` prints it. Default: none. */
  readonly manifest?: string;
  /** Entries and bytes that are known to be there: in place of sizing. */
  readonly knownSize?: { readonly entries: number; readonly bytes: number };
  /** What the log file holds. Default INFO. */
  readonly logLevel?: LogLevel;
  /** How to log in where the URL has no SAS. */
  readonly identity?: Pick<IdentityOptions, 'trustedSuffixes' | 'onPrompt'>;
  /** Stops the job, so that it can be resumed. */
  readonly signal?: AbortSignal;
  /** Called for each event; events are rare. */
  readonly onEvent?: (event: LoadEvent) => void;
  /** Called once, with a function that returns the counters whenever it is called. */
  readonly onStart?: (snapshot: () => ProgressSnapshot) => void;
  /** For tests of this program. */
  readonly internals?: LoadInternals;
}

/** As many as `--threads` takes. */
const MOST_THREADS = 1024;

/** What {@link LoadOptions} take. */
export const LOAD_CHECKS = {
  source: option.path,
  destination: option.text,
  statePath: option.text,
  newSession: option.flag,
  compression: choiceOption('LZ4', 'DISABLED'),
  preserveHardLinks: option.flag,
  selection: option.fields,
  manifest: option.text,
  knownSize: option.fields,
  logLevel: choiceOption(...LOG_LEVELS),
  identity: option.fields,
  signal: option.signal,
  onEvent: option.call,
  onStart: option.call,
  internals: option.fields,
  maxErrors: countOption(),
  capMbps: option.amount,
  concurrency: countOption(),
  threads: countOption(MOST_THREADS),
  estimate: option.flag,
  logDirectory: option.text,
  retryWindowMs: option.amount,
  lateArrivalMs: option.amount,
  stallWarningMs: option.amount,
  checkListing: option.flag,
  workers: option.text,
  leaseMs: option.amount,
} as const satisfies Record<keyof LoadOptions, unknown>;

/** Parts of a load that tests replace. */
interface LoadInternals {
  readonly geometry?: Geometry;
  readonly clock?: Clock;
  /** Runs everything in the calling thread, with this container. */
  readonly container?: Container;
  readonly hooks?: CommitHooks;
  /** Opens what carries messages to workers, in place of NATS. */
  readonly workers?: OpenDriverLink;
  /** Stands between the loader and its source. */
  readonly wrapSource?: (source: SourceTree) => SourceTree;
  /** Neither guards removals nor checks the listing before the commit: a test sees what holds without them. */
  readonly unchecked?: boolean;
  /** Draws the job's random bytes. */
  readonly random?: (bytes: number) => Buffer;
}

/** Something that happened. */
export type LoadEvent =
  | {
      readonly kind: 'configuration';
      readonly compression: Compression;
      readonly preserveHardLinks: boolean;
      readonly newSession: boolean;
      readonly jobId: string;
      readonly logFile: string;
      /** Absolute. */
      readonly statePath: string;
      /** Absolute path of the source. */
      readonly source: Uint8Array;
      /** The container without its SAS. */
      readonly container: string;
    }
  | { readonly kind: 'phase'; readonly phase: Phase }
  | { readonly kind: 'message'; readonly text: string };

/** Status that a load ends with. */
export type FinalStatus = 'Completed' | 'CompletedWithErrors' | 'Failed' | 'Cancelled';

/** How a load ended. */
export interface LoadSummary {
  readonly status: FinalStatus;
  readonly progress: ProgressSnapshot;
  /** Why it failed or was cancelled. */
  readonly error: unknown;
  /** Where the reports of failures are; undefined when nothing failed. */
  readonly problemsFile: string | undefined;
  /** What failed, by reason. */
  readonly failures: readonly FailureGroup[];
  /**
   * `checked`, or `not checked: ` and why, when the job has been committed: whether the container's listing was what it
   * put.
   */
  readonly listing: string | undefined;
  /**
   * Hard links that became copies of their own: there were more than the format allows, or they could not be shown to
   * be the same file.
   */
  readonly linkCopies: number;
}
