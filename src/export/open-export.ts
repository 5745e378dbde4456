import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { CommitHooks } from '../state/job-database.js';
import { claimExistingState, claimNewState, type StateDirectory } from '../state/state-directory.js';
import { quotePath } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import { choiceText } from './choice.js';
import { type OpenTarget, reopenTarget } from './open-target.js';
import { isSalvage } from './salvage-root.js';
import type { ExportRecord } from './state/export-record.js';
import { ExportState } from './state/export-state.js';

/** What an export is asked to be; a resumed one must have been begun so. */
export type ExportWish = Pick<
  ExportRecord,
  | 'container'
  | 'bucketUuid'
  | 'rootName'
  | 'containerId'
  | 'pathHex'
  | 'handleHex'
  | 'isTree'
  | 'targetHex'
  | 'nameHex'
  | 'overwrite'
  | 'sparse'
  | 'choice'
>;

/** A state directory that this process holds for an export. */
export interface ClaimedState {
  readonly directory: StateDirectory;
  /** The job that is gone on with; undefined for a new one. */
  readonly state: ExportState | undefined;
}

/** Where the state is wanted. */
export interface StateWish {
  /** undefined: beside the target. */
  readonly statePath: string | undefined;
  readonly newSession: boolean;
  readonly defaultPath: string;
}

/**
 * Takes a state directory: a new one, or that of an unfinished job which is gone on with.
 *
 * @throws ClfsError `state`, `state-busy`; `usage` when the job that is there was begun with other arguments;
 * `container-other`
 */
export function claimState(
  { statePath, newSession, defaultPath }: StateWish,
  wish: ExportWish,
  hooks: CommitHooks,
): ClaimedState {
  if (statePath === undefined) return claimDefault(defaultPath, wish, hooks);
  return newSession ? { directory: claimNewState(statePath), state: undefined } : resume(statePath, wish, hooks);
}

/** Makes the state of a new job in a directory that was claimed. @throws ClfsError `state` */
export function createState(
  directory: StateDirectory,
  wish: ExportWish,
  target: Pick<OpenTarget, 'mark'>,
  hooks: CommitHooks,
  nowMs: number,
): ExportState {
  const record: ExportRecord = {
    ...wish,
    program: VERSION,
    jobId: randomUUID(),
    begun: true,
    targetInode: String(target.mark.inode),
    targetPlace: target.mark.place,
    startedMs: nowMs,
    sessions: 0,
    finished: false,
    finalStatus: '',
  };
  try {
    return ExportState.create(directory.databasePath, record, directory.journal, hooks, ({ directories }) =>
      directories.addRoot(wish.isTree ? Buffer.from(wish.handleHex, 'hex') : new Uint8Array(0), !wish.isTree),
    );
  } catch (error) {
    throw new ClfsError(
      'state',
      `Cannot write the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

/**
 * Finds out which names the target of a tree takes for one, once for a job. The job is recorded before: what is left of
 * this by a crash is its own. A target in which no file can be made, as one that is full, is looked at by the next session.
 *
 * @throws PosixError; whatever SQLite throws
 */
export async function recordFolding(state: ExportState, target: Pick<OpenTarget, 'probeNames'>): Promise<void> {
  const { folding, isTree, jobId } = state.record;
  // Of one file no name is that of another.
  if (!isTree || folding !== undefined) return;
  const found = await target.probeNames(`${temporaryPrefixOf(jobId)}names-`);
  if (found) state.transact(() => state.update({ folding: found }));
}

/** What names begin with that a job gives for a while. */
export function temporaryPrefixOf(jobId: string): string {
  return `.clfsload-${jobId}-`;
}

/** Opens what a job has begun to write. @throws ClfsError `target` when it is not there any more */
export function openSameTarget({ record, counters }: ExportState, path: Buffer, state: string): Promise<OpenTarget> {
  return reopenTarget(path, {
    mark: { inode: BigInt(record.targetInode), place: record.targetPlace },
    isOurs: record.isTree,
    hasEntries: counters.written + counters.replaced > 0,
    state,
  });
}

function claimDefault(path: string, wish: ExportWish, hooks: CommitHooks): ClaimedState {
  try {
    return { directory: claimNewState(path), state: undefined };
  } catch (error) {
    if (!isClfsError(error, 'state')) throw error;
    if (existsSync(`${path}/job.db`)) return resume(path, wish, hooks);
    throw new ClfsError(
      'state',
      `${error.message} The state of an export is kept beside its target: name another place by --state-path.`,
      { cause: error },
    );
  }
}

function resume(path: string, wish: ExportWish, hooks: CommitHooks): ClaimedState {
  const directory = claimExistingState(path);
  let state: ExportState | undefined;
  try {
    state = ExportState.open(directory.databasePath, directory.journal, hooks);
    requireSame(state.record, wish, directory.path);
    return { directory, state };
  } catch (error) {
    state?.close();
    directory.release();
    if (error instanceof ClfsError) throw error;
    throw new ClfsError(
      'state',
      `Cannot open the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

function requireSame(record: ExportRecord, wish: ExportWish, where: string): void {
  const wayOut = `Go on with the same arguments; or remove ${JSON.stringify(where)} to begin anew: what has been written is left as it is.`;
  const differ = (what: string, was: string, is: string) =>
    new ClfsError(
      'usage',
      `The export whose state is in ${JSON.stringify(where)} was begun with ${what} ${was}, not ${is}. ${wayOut}`,
    );
  const text = (hex: string) => quotePath(Buffer.from(hex, 'hex'));
  if (record.container !== wish.container)
    throw differ('the container', JSON.stringify(record.container), JSON.stringify(wish.container));
  if (record.pathHex !== wish.pathHex) throw differ('the path', text(record.pathHex), text(wish.pathHex));
  if (record.targetHex !== wish.targetHex) throw differ('the target', text(record.targetHex), text(wish.targetHex));
  if (record.nameHex !== wish.nameHex) throw differ('the name', text(record.nameHex), text(wish.nameHex));
  if (record.overwrite !== wish.overwrite) throw differ('--overwrite', record.overwrite, wish.overwrite);
  if (record.sparse !== wish.sparse) throw differ('--sparse', String(record.sparse), String(wish.sparse));
  const wasSalvage = isSalvage(record);
  if (wasSalvage !== isSalvage(wish)) throw differ('--salvage', String(wasSalvage), String(!wasSalvage));
  const was = choiceText(record.choice);
  const is = choiceText(wish.choice);
  if (was !== is) throw differ('the choice', was || 'everything', is || 'everything');
  // A bucket object that cannot be read now and then says nothing.
  const isOther = record.bucketUuid !== '' && wish.bucketUuid !== '' && record.bucketUuid !== wish.bucketUuid;
  if (
    isOther ||
    record.rootName !== wish.rootName ||
    record.containerId !== wish.containerId ||
    record.handleHex !== wish.handleHex
  ) {
    throw new ClfsError(
      'container-other',
      `The container ${JSON.stringify(wish.container)} is not what it was when the export began whose state is in ${JSON.stringify(where)}: it was made again, or changed. Remove that directory to begin anew: what has been written is compared with the container as it is now.`,
    );
  }
}
