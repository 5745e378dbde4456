import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { CommitHooks } from '../state/job-database.js';
import { claimExistingState, claimNewState, removeState, type StateDirectory } from '../state/state-directory.js';
import { quotePath } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import { choiceText } from './choice.js';
import { isSalvage } from './salvage-root.js';
import type { ExportRecord } from './state/export-record.js';
import { ExportState } from './state/export-state.js';
import { beginAnewText, temporaryPrefixOf } from './temporary-names.js';

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
  | 'asRoot'
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
  if (statePath === undefined) return claimDefault(defaultPath, newSession, wish, hooks);
  return newSession ? { directory: claimNewState(statePath), state: undefined } : resume(statePath, wish, hooks);
}

/**
 * Makes the state of a new job in a directory that was claimed.
 *
 * @param found what was found in the container and in the target when the job began
 * @throws ClfsError `state`
 */
export function createState(
  directory: StateDirectory,
  wish: ExportWish,
  found: Pick<ExportRecord, 'listing' | 'mounts' | 'targetInode' | 'targetPlace'>,
  hooks: CommitHooks,
  nowMs: number,
): ExportState {
  const record: ExportRecord = {
    ...wish,
    ...found,
    program: VERSION,
    jobId: randomUUID(),
    begun: true,
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

function otherContainer({ container, jobId }: ExportRecord, state: string): ClfsError {
  const wayOut = beginAnewText(temporaryPrefixOf(jobId), JSON.stringify(state));
  return new ClfsError(
    'container-other',
    `The container ${JSON.stringify(container)} is not what it was when the export began whose state is in ${JSON.stringify(state)}: it was made again, or changed. If it is the one that is to be exported, ${wayOut}`,
  );
}

/** @param anew begin anew where the job that is there is over: its state is there since it could not be removed */
function claimDefault(path: string, anew: boolean, wish: ExportWish, hooks: CommitHooks): ClaimedState {
  try {
    return { directory: claimNewState(path), state: undefined };
  } catch (error) {
    if (!isClfsError(error, 'state')) throw error;
    if (existsSync(`${path}/job.db`)) {
      if (!anew || !removeIfOver(path, hooks)) return resume(path, wish, hooks);
      return { directory: claimNewState(path), state: undefined };
    }
    throw new ClfsError(
      'state',
      `${error.message} The state of an export is kept beside its target: name another place by --state-path.`,
      { cause: error },
    );
  }
}

/** Removes the state of a job of which everything has been written. @returns whether it was one */
function removeIfOver(path: string, hooks: CommitHooks): boolean {
  const { directory, state } = openState(path, hooks, () => undefined);
  const isOver = state.record.finished && state.failures.count() === 0;
  state.close();
  if (isOver) removeState(directory);
  else directory.release();
  return isOver;
}

function resume(path: string, wish: ExportWish, hooks: CommitHooks): ClaimedState {
  return openState(path, hooks, ({ record }, where) => requireSame(record, wish, where));
}

/** @param check throws where the state is not to be gone on with */
function openState(
  path: string,
  hooks: CommitHooks,
  check: (state: ExportState, where: string) => void,
): { readonly directory: StateDirectory; readonly state: ExportState } {
  const directory = claimExistingState(path);
  let state: ExportState | undefined;
  try {
    state = ExportState.open(directory.databasePath, directory.journal, hooks);
    check(state, directory.path);
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
  const wayOut = `Go on with the same arguments; or ${beginAnewText(temporaryPrefixOf(record.jobId), JSON.stringify(where))}`;
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
  // What the one has written lacks what the other gives, and nobody looks at it again.
  const user = (asRoot: boolean | undefined) => (asRoot ? 'root' : 'somebody who is not root');
  if (record.asRoot !== undefined && record.asRoot !== wish.asRoot)
    throw differ('the rights of', user(record.asRoot), user(wish.asRoot));
  const was = choiceText(record.choice);
  const is = choiceText(wish.choice);
  if (was !== is) throw differ('the choice', was || 'everything', is || 'everything');
  // A bucket object that cannot be read now and then says nothing.
  const isOther = record.bucketUuid !== '' && wish.bucketUuid !== '' && record.bucketUuid !== wish.bucketUuid;
  if (
    isOther ||
    record.containerId !== wish.containerId ||
    record.handleHex !== wish.handleHex ||
    // Of a tree the listing tells, and then it begins anew.
    (!record.isTree && record.rootName !== wish.rootName)
  )
    throw otherContainer(record, where);
}
