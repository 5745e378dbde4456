import { existsSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { ClfsError, messageOf } from '../error.js';
import { realPathOf } from '../paths/real-path.js';
import type { Database } from '../sqlite/database.js';
import { holdsExport } from '../state/application.js';
import { openForLook } from '../state/open-for-look.js';
import { isStateHeld } from '../state/state-directory.js';
import { isUtf8 } from '../text/exact-text.js';
import type { ExportJobOptions } from './options.js';
import { isSalvage } from './salvage-root.js';
import type { ExportRecord } from './state/export-record.js';
import { checkTables } from './state/schema.js';
import { stateIn, targetPath } from './target-path.js';

/** What a recorded export was told, and where its state is. */
type ResumedOptions = Pick<
  ExportJobOptions,
  | 'container'
  | 'path'
  | 'target'
  | 'statePath'
  | 'newSession'
  | 'overwrite'
  | 'sparse'
  | 'salvage'
  | 'choice'
  | 'threads'
  | 'workers'
  | 'capMbps'
>;

/** Whether there is the state of an export in a directory, as far as it can be read. */
function holdsExportState(statePath: string): boolean {
  const path = join(statePath, 'job.db');
  if (!existsSync(path)) return false;
  try {
    return withDatabase(path, holdsExport);
  } catch {
    return false;
  }
}

/**
 * Where the state of an export is that goes, or went, to a place.
 *
 * @param path its state directory, or its target when the state is kept beside that
 * @returns undefined where there is none
 */
export async function exportStateOf(path: string): Promise<string | undefined> {
  // What has a job of its own is no target that is meant.
  if (existsSync(join(path, 'job.db'))) return holdsExportState(path) ? path : undefined;
  const target = await realPathOf(resolve(path));
  if (!isUtf8(dirname(target))) return undefined;
  const beside = stateIn(dirname(target), basename(target));
  return holdsExportState(beside) ? beside : undefined;
}

/**
 * What the export in a state directory was told, so that it goes on without further arguments.
 *
 * @param statePath absolute
 * @param container the same container, where it needs a SAS: that is recorded nowhere
 * @throws ClfsError `state` when it is damaged, of a newer program, or no export's
 */
export async function resumedExport(statePath: string, container?: string): Promise<ResumedOptions> {
  const path = join(statePath, 'job.db');
  const record = withDatabase(path, (db) => readRecord(db, path));
  const directory = Buffer.from(record.targetHex, 'hex');
  const target = record.isTree ? directory : Buffer.concat([directory, SLASH, Buffer.from(record.nameHex, 'hex')]);
  return {
    container: container ?? record.container,
    path: Buffer.from(record.pathHex, 'hex'),
    target,
    // A state beside the target goes when everything has been written.
    ...((await isDefault(statePath, target, record)) ? {} : { statePath }),
    newSession: false,
    overwrite: record.overwrite,
    sparse: record.sparse,
    salvage: isSalvage(record),
    choice: record.choice,
    threads: record.threads,
    workers: record.workers,
    capMbps: record.capMbps,
  };
}

const SLASH = Buffer.from('/');

function readRecord(db: Database, path: string): ExportRecord {
  checkTables(db, path);
  try {
    const { record } = db.prepare('SELECT record FROM job').get() as { record: string };
    return JSON.parse(record) as ExportRecord;
  } catch (cause) {
    throw new ClfsError('state', `Cannot read the job state ${JSON.stringify(path)}: ${messageOf(cause)}.`, { cause });
  }
}

function withDatabase<T>(path: string, use: (db: Database) => T): T {
  const db = openForLook(path, isStateHeld(dirname(path)));
  try {
    return use(db);
  } finally {
    db.close();
  }
}

async function isDefault(statePath: string, target: Buffer, { isTree, pathHex }: ExportRecord): Promise<boolean> {
  try {
    const name = Buffer.from(pathHex, 'hex');
    const where = await targetPath(target, isTree ? undefined : name.subarray(name.lastIndexOf(0x2f) + 1));
    return where.defaultState() === (await realPathOf(statePath));
  } catch {
    return false;
  }
}
