import type { Container } from '../container/container.js';
import type { Geometry } from '../format/geometry.js';
import type { IdentityOptions } from '../identity/identity.js';
import type { WorkersWish } from '../join/open-pool.js';
import { choiceOption, countOption, option } from '../option-checks.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { SalvageCounts } from '../salvage/salvage.js';
import type { FailureGroup } from '../state/failure-groups.js';
import type { CommitHooks } from '../state/job-database.js';
import type { Clock } from '../time/clock.js';
import type { Choice } from './choice.js';
import type { LaterCalls, TargetCalls } from './target/target-calls.js';

/** What happens to what is there already. */
export type Overwrite = 'never' | 'if-different' | 'always';

/** What to export, whereto, and how. */
export interface ExportJobOptions {
  /** Container URL, `file://` URL or path of a directory of blobs. */
  readonly container: string;
  /** What of it: the path of a directory or of a file. Default: all of it. */
  readonly path?: Uint8Array;
  /**
   * The directory to write into, which is made if its parent exists; for a file that file, or the directory that it
   * goes to. As text, or as bytes where it is not UTF-8.
   */
  readonly target: string | Uint8Array;
  /** Directory for the state of the job. Default: beside the target, and removed when everything has been written. */
  readonly statePath?: string;
  /**
   * With `statePath`: start a new job (default), or go on with the one that is there. Without it an unfinished job is
   * gone on with, and one of which everything has been written begins anew; with `false` that is gone on with, too.
   */
  readonly newSession?: boolean;
  /**
   * Default `if-different`: by type, size, modification time, text of a symlink and numbers of a device; what only has
   * another owner or mode gets those. Bytes are not compared.
   */
  readonly overwrite?: Overwrite;
  /** Leave holes where files have runs of zeros. Default false. */
  readonly sparse?: boolean;
  /** What of the tree is left out. Default: nothing. */
  readonly choice?: Choice;
  /**
   * Write what can be reached without a root, or beside it, in place of the root's tree: see `findSalvage`. All work is
   * done in the calling thread then. Default false.
   */
  readonly salvage?: boolean;
  /** Told, before anything is written, how many inodes have been looked at for a salvage. */
  readonly onSalvaging?: (inodes: number) => void;
  /** Failures that are tolerated; one more stops the job. Default 50; with `salvage` any number. */
  readonly maxErrors?: number;
  /**
   * Worker threads, all of which work from the start; 0 for none beside the caller's own. Default: as many as there are
   * processors, at most 16, one after another while processors idle.
   */
  readonly threads?: number;
  /** Lanes on other machines too: `clfsload worker`. With `threads: 0` they alone work. Default: none. */
  readonly workers?: WorkersWish;
  /**
   * How long what a worker that has gone was about to write may still be written, in milliseconds: so long is waited
   * before what it could hit. Default 235,000.
   */
  readonly lateArrivalMs?: number;
  /** Most that is read from a service, in megabits per second, by all lanes and workers together. Default 0: no cap. */
  readonly capMbps?: number;
  /** How long an unreachable service is waited for, in milliseconds. Default 60,000. */
  readonly retryWindowMs?: number;
  /**
   * After how long a call of the target that is not answered is spoken of, in milliseconds; by `onMessage`, and in the
   * log. Default 60,000.
   */
  readonly stallWarningMs?: number;
  /** How to be let in where the URL has no SAS. */
  readonly identity?: IdentityOptions;
  /** Stops the job, so that it can be resumed. */
  readonly signal?: AbortSignal;
  /** Told how many blobs have been listed, before anything is written. */
  readonly onListed?: (blobs: number) => void;
  /** Told of each entry that could not be written, by its path below what is exported. */
  readonly onFailure?: (path: Buffer, reason: string, message: string) => void;
  /** Told, in whole sentences, of what the user should know. */
  readonly onMessage?: (text: string) => void;
  /** Given, once, a way to look at the counters whenever the caller likes, and where the state is. */
  readonly onStart?: (snapshot: () => ExportProgress, statePath: string) => void;
  /** For tests of this program. */
  readonly internals?: ExportInternals;
}

/** What a machine that was frozen was about to write may be written when it goes on. */
const LATE_MS = 235_000;

/** How long what was lost may still be written. */
export function lateArrivalOf({ lateArrivalMs = LATE_MS }: Pick<ExportJobOptions, 'lateArrivalMs'>): number {
  return lateArrivalMs;
}

/** As many as `--threads` takes. */
const MOST_THREADS = 1024;

/** What {@link ExportJobOptions} take. */
export const EXPORT_CHECKS = {
  container: option.text,
  path: option.path,
  target: option.path,
  statePath: option.text,
  newSession: option.flag,
  overwrite: choiceOption('never', 'if-different', 'always'),
  sparse: option.flag,
  choice: option.fields,
  salvage: option.flag,
  onSalvaging: option.call,
  maxErrors: countOption(),
  threads: countOption(MOST_THREADS),
  workers: option.fields,
  lateArrivalMs: option.amount,
  capMbps: option.amount,
  retryWindowMs: option.amount,
  stallWarningMs: option.amount,
  identity: option.fields,
  signal: option.signal,
  onListed: option.call,
  onFailure: option.call,
  onMessage: option.call,
  onStart: option.call,
  internals: option.fields,
} as const satisfies Record<keyof ExportJobOptions, unknown>;

/** Parts of an export that tests replace. */
interface ExportInternals {
  readonly geometry?: Geometry;
  readonly clock?: Clock;
  /** Runs everything in the calling thread, with this container. */
  readonly container?: Container;
  readonly hooks?: CommitHooks;
  /** Objects from which on the index of the listing is on disk. */
  readonly memoryObjects?: number;
  /** Stands between the export and the system. */
  readonly calls?: TargetCalls;
  /** The same for a slow target: that is what it is taken for, then. */
  readonly laterCalls?: LaterCalls;
  /** Opens what carries messages to workers, in place of NATS. */
  readonly workers?: OpenDriverLink;
}

/** Where an export stands. */
export interface ExportProgress {
  /** Entries written that were not there before, those of earlier sessions included; directories count. */
  readonly written: number;
  /** Entries that took the place of others, or that were there and got another owner or mode. */
  readonly replaced: number;
  /** Entries that were there already. */
  readonly left: number;
  readonly failed: number;
  /** Entries that were not chosen; what is below them is not counted. */
  readonly excluded: number;
  /** Bytes of file data written. */
  readonly bytes: number;
  /** Hard links that became copies of their own: the target cannot link them, as across what is mounted in it. */
  readonly linkCopies: number;
  /** Entries in all; undefined where that is not known. */
  readonly total: number | undefined;
  /**
   * Bytes of content of all that is to be written, those of earlier sessions included: as they are `stored` in the
   * container, or of file data. Undefined where the total is not known.
   */
  readonly content: { readonly bytes: number; readonly bytesTotal: number; readonly stored: boolean } | undefined;
  /**
   * Thousandths of the work that are done, by entries and bytes, at most 999; 0 while `total` is not known. It never
   * falls, also over sessions.
   */
  readonly permille: number;
  /** Workers on other machines that are there; undefined where none can be. */
  readonly workers: number | undefined;
  /** Requests that were repeated in the present session. */
  readonly retries: number;
  /** Since when the service has not answered some thread, in milliseconds since 1970; 0 while it does. */
  readonly waitingSinceMs: number;
  /** Entries done in the present session. */
  readonly sessionEntries: number;
  /** Milliseconds since the session began to write. */
  readonly elapsedMs: number;
}

/** Status that an export ends with. */
export type ExportStatus = 'Completed' | 'CompletedWithErrors' | 'Failed' | 'Cancelled';

/** How an export ended. */
export interface ExportSummary {
  readonly status: ExportStatus;
  readonly progress: ExportProgress;
  /** Why it failed or was cancelled. */
  readonly error: unknown;
  /** Where the state is, by which the job can be gone on with; undefined when there is none any more. */
  readonly statePath: string | undefined;
  /** Where the reports of failures are; undefined when nothing failed. */
  readonly problemsFile: string | undefined;
  /** What the target does not keep of what it is given: `owners`, `modes`, `times`; empty where it keeps all. */
  readonly notKept: readonly string[];
  /** What failed, by reason; paths below the target. */
  readonly failures: readonly FailureGroup[];
  /** What was found, with `salvage`. */
  readonly salvage: SalvageCounts | undefined;
}
