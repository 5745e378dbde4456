import { existsSync, fstatSync, mkdirSync, openSync, readdirSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import { closeQuietly } from '../posix/close-quietly.js';
import { isRemoteFileSystem } from '../posix/file-system-type.js';
import { letGoOf } from '../posix/let-go.js';
import { isUnlocked } from '../posix/libc.js';
import { type Database, openDatabase } from '../sqlite/database.js';
import { decodeRecord } from './job-record.js';
import { holdsJob } from './schema.js';
import { pause, requireLock } from './state-lock.js';

const DATABASE_FILE = 'job.db';
const LOCK_FILE = 'lock';
/** How often the removal of a state is tried, with a pause between. */
const MOST_REMOVALS = 5;
/** Files that a job may leave in its state directory. */
const OWN_FILES =
  /^(job\.db(-wal|-shm|-journal)?|lock|clfsload(\.\d+)?\.log|manifest\.jsonl|(problems\.txt|failures\.jsonl|report\.html|(last-)?workers\.json)(\.new)?)$/;

/** A state directory that this process holds. */
export interface StateDirectory {
  readonly path: string;
  readonly databasePath: string;
  /** A write-ahead log needs shared memory, which network file systems do not have. */
  readonly journal: 'WAL' | 'DELETE';
  file(name: string): string;
  /** Lets go of the lock. */
  release(): void;
  /**
   * Whether it is still there as it was taken: not so when its lock was lost, and somebody else has removed it and begun
   * another job there.
   */
  readonly isThere: boolean;
  /**
   * Takes back what {@link claimNewState} made, for a job that was refused before it began. What holds a job of somebody
   * else by now stays: the lock may have been lost meanwhile.
   *
   * @param isMine whether the job in it is that of this process; undefined: it has put none there
   */
  discard(isMine: boolean | undefined): void;
}

/**
 * Takes a directory for a new job: it must be empty, or not exist while its parent does. One that holds a job which
 * never began is taken as it is: the answer to the first request of that job may have been lost.
 *
 * @throws ClfsError `state` saying why it cannot be used, and how to go on when it holds a job; `state-busy`
 */
export function claimNewState(statePath: string): StateDirectory {
  const path = resolve(statePath);
  const made = makeDirectory(path);
  const quoted = JSON.stringify(path);
  if (!made) {
    const names = listState(path);
    const foreign = names.some((name) => !OWN_FILES.test(name));
    if (!foreign && recorded(path, names) === 'not begun') return hold(path, () => clear(path));
    // What a process left that died before its job had begun does not count.
    if (!foreign && recorded(path, names) === 'nothing') return holdNew(path, made);
    if (names.includes(DATABASE_FILE)) {
      throw occupied(quoted);
    }
    throw new ClfsError(
      'state',
      `The state directory ${quoted} is not empty. Name an empty one, or one that does not exist yet.`,
    );
  }
  return holdNew(path, made);
}

function occupied(quoted: string): ClfsError {
  return new ClfsError(
    'state',
    `The state directory ${quoted} holds a job already. Go on with it by --new-session=false, or name another --state-path for a new one.`,
  );
}

/** Removes the state of a job that is over, and lets go of it. @returns whether nothing of it is there any more */
export function removeState(directory: StateDirectory): boolean {
  if (!directory.isThere) {
    directory.release();
    return true;
  }
  // The SQLite that is bundled keeps a database open until the last of its statements has been collected. With a
  // write-ahead log it is not done with it before that.
  if (directory.journal === 'DELETE' && existsSync(directory.databasePath))
    tried(() => letGoOf(directory.databasePath));
  let cleared = false;
  const removed = tried(() => {
    // Who looks at the job just now may have had SQLite make files of its own again.
    clear(directory.path);
    cleared = true;
    rmdirSync(directory.path);
  });
  directory.release();
  // What is open is on NFS and FUSE there under another name, until a moment after it is closed. From here on what is
  // there may be somebody else's: it stays.
  const isLeft = !removed && !tried(() => rmdirSync(directory.path));
  return !isLeft || (cleared && existsSync(join(directory.path, LOCK_FILE)));
}

/** @returns whether it was done in the end: somebody else may have put something there, or the disk refuses */
function tried(removal: () => void): boolean {
  for (let tries = 0; tries < MOST_REMOVALS; tries++) {
    if (tries > 0) pause();
    try {
      removal();
      return true;
    } catch {
      // It is tried again.
    }
  }
  return false;
}

/** The database is removed last, and then the lock: what a crash leaves in between is a job, or nothing. */
function clear(path: string, keep?: string): void {
  const last = [DATABASE_FILE, LOCK_FILE];
  const names = readdirSync(path).filter((name) => OWN_FILES.test(name) && name !== keep);
  names.sort((a, b) => last.indexOf(a) - last.indexOf(b));
  for (const name of names) rmSync(join(path, name), { force: true });
}

function holdNew(path: string, made: boolean): StateDirectory {
  const discard = () => {
    clear(path);
    if (made) rmSync(path, { recursive: true, force: true });
  };
  let directory: StateDirectory;
  try {
    directory = hold(path, discard);
  } catch (error) {
    // What another process has is not touched, and neither is what it may have.
    if (made && !isClfsError(error, 'state-busy')) tried(discard);
    throw error;
  }
  try {
    // Between the look and the lock another process may have begun a job here, and ended.
    if (recorded(path, listState(path)) !== 'nothing') throw occupied(JSON.stringify(path));
    clear(path, LOCK_FILE);
  } catch (error) {
    directory.release();
    throw error instanceof ClfsError ? error : cannotWrite(path, error);
  }
  return directory;
}

function cannotWrite(path: string, cause: unknown): ClfsError {
  return new ClfsError('state', `Cannot write to the state directory ${JSON.stringify(path)}: ${messageOf(cause)}.`, {
    cause,
  });
}

/** What the database of a directory holds. One that cannot be read counts as a job, which is never removed. */
function recorded(path: string, names: readonly string[]): 'nothing' | 'not begun' | 'job' {
  if (!names.includes(DATABASE_FILE)) return names.some((name) => name !== LOCK_FILE) ? 'job' : 'nothing';
  let db: Database | undefined;
  try {
    // Not read-only: that would leave the files of a write-ahead log behind.
    db = openDatabase(join(path, DATABASE_FILE));
    if (!holdsJob(db)) return 'nothing';
    const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
    return decodeRecord(record).begun ? 'job' : 'not begun';
  } catch {
    return 'job';
  } finally {
    db?.close();
  }
}

/**
 * Takes a directory that holds a job.
 *
 * @throws ClfsError `state` when it is missing, empty or foreign; `state-busy` when another process works on it
 */
export function claimExistingState(statePath: string): StateDirectory {
  const path = resolve(statePath);
  const quoted = JSON.stringify(path);
  const names = listState(path);
  // What a process left that died before its job had begun does not count.
  if (names.every((name) => name === LOCK_FILE))
    throw new ClfsError(
      'state',
      `The state directory ${quoted} is empty: there is no job to go on with. Leave out --new-session=false to start one.`,
    );
  if (!names.includes(DATABASE_FILE))
    throw new ClfsError(
      'state',
      `The state directory ${quoted} holds no job of this program. Name the --state-path that the job was started with.`,
    );
  return hold(path, () => undefined);
}

/** Path of a job's database, for looking at it. @throws ClfsError `state` when there is none */
export function findDatabase(statePath: string): string {
  const path = resolve(statePath);
  if (!listState(path).includes(DATABASE_FILE))
    throw new ClfsError('state', `The state directory ${JSON.stringify(path)} holds no job.`);
  return join(path, DATABASE_FILE);
}

/**
 * Whether a live process works on the job. To look at the lock, it is shared for an instant: whoever wants it in that
 * moment waits.
 */
export function isStateHeld(statePath: string): boolean {
  let fd: number;
  try {
    fd = openSync(join(resolve(statePath), LOCK_FILE), 'r');
  } catch {
    return false;
  }
  try {
    return !isUnlocked(fd);
  } finally {
    closeQuietly(fd);
  }
}

function makeDirectory(path: string): boolean {
  try {
    // Names of the source are in it, which not everybody on this machine may see.
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EEXIST') return false;
    const reason =
      code === 'ENOENT' || code === 'ENOTDIR'
        ? `its parent ${JSON.stringify(dirname(path))} is not an existing directory`
        : messageOf(error);
    throw new ClfsError('state', `Cannot make the state directory ${JSON.stringify(path)}: ${reason}.`, {
      cause: error,
    });
  }
}

function listState(path: string): readonly string[] {
  const quoted = JSON.stringify(path);
  try {
    if (!statSync(path).isDirectory()) throw new ClfsError('state', `The state path ${quoted} is not a directory.`);
    return readdirSync(path);
  } catch (error) {
    if (error instanceof ClfsError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      throw new ClfsError('state', `The state directory ${quoted} does not exist.`, { cause: error });
    throw new ClfsError('state', `Cannot read the state directory ${quoted}: ${messageOf(error)}.`, { cause: error });
  }
}

function hold(path: string, discard: () => void): StateDirectory {
  let fd: number;
  try {
    // For reading too: network file systems share a lock with readers only.
    fd = openSync(join(path, LOCK_FILE), 'a+');
  } catch (error) {
    throw cannotWrite(path, error);
  }
  let isLocal: boolean;
  try {
    requireLock(fd, path);
    isLocal = !isRemoteFileSystem(fd);
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
  let held = true;
  const release = () => {
    if (held) closeQuietly(fd);
    held = false;
  };
  return {
    path,
    databasePath: join(path, DATABASE_FILE),
    journal: isLocal ? 'WAL' : 'DELETE',
    file: (name) => join(path, name),
    release,
    get isThere() {
      return held && isSameFile(fd, join(path, LOCK_FILE));
    },
    discard(isMine) {
      try {
        if (this.isThere && (isMine ?? !hasJob(path))) discard();
      } catch {
        // What cannot be removed hides nothing of why the job was refused.
      }
      release();
    },
  };
}

function hasJob(path: string): boolean {
  const names = listState(path);
  return names.includes(DATABASE_FILE) && recorded(path, names) !== 'nothing';
}

function isSameFile(fd: number, path: string): boolean {
  try {
    const [own, there] = [fstatSync(fd), statSync(path)];
    return own.dev === there.dev && own.ino === there.ino;
  } catch {
    return false;
  }
}
