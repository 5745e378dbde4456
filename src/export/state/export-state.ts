import { type Database, openDatabase, Statement } from '../../sqlite/database.js';
import { type FailureGroup, readFailureGroups } from '../../state/failure-groups.js';
import { type CommitHooks, configure, SoleWriter } from '../../state/job-database.js';
import { JobSeries } from '../../state/job-series.js';
import { Chunks } from './chunks.js';
import { Directories } from './directories.js';
import type { ExportRecord } from './export-record.js';
import { Failures } from './failures.js';
import { LargeFiles } from './large-files.js';
import { Leftovers } from './leftovers.js';
import { LinkGroups } from './link-groups.js';
import {
  checkTables,
  createTables,
  DirectoryStatus,
  FailurePhase,
  migrate,
  ROOT_DIRECTORY,
  WorkStatus,
} from './schema.js';

/** Counts of an export over all its sessions. */
export interface ExportCounters {
  readonly written: number;
  readonly replaced: number;
  /** Entries that were there already. */
  readonly left: number;
  readonly excluded: number;
  readonly bytes: number;
}

/** The state of one export: the only writer of its database. */
export class ExportState {
  readonly directories: Directories;
  readonly chunks: Chunks;
  readonly links: LinkGroups;
  readonly large: LargeFiles;
  readonly failures: Failures;
  /** The job's past: each transaction writes to it what is due. */
  readonly series: JobSeries;
  readonly leftovers: Leftovers;
  readonly #db: Database;
  readonly #hooks: CommitHooks;
  readonly #writer: SoleWriter;
  readonly #setRecord: Statement;
  readonly #setCounters: Statement;
  #record: ExportRecord;
  #counters: ExportCounters;

  private constructor(db: Database, hooks: CommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#writer = new SoleWriter(db, hooks);
    this.directories = new Directories(db);
    this.chunks = new Chunks(db);
    this.links = new LinkGroups(db);
    this.large = new LargeFiles(db);
    this.failures = new Failures(db);
    this.series = new JobSeries(db);
    this.leftovers = new Leftovers(db);
    this.#setRecord = new Statement(db, 'UPDATE job SET record = ?');
    this.#setCounters = new Statement(
      db,
      'UPDATE job SET written = ?, replaced = ?, kept = ?, excluded = ?, bytes = ?, alive_ms = ?',
    );
    const row = db.prepare('SELECT * FROM job').get() as { record: string } & Record<
      'written' | 'replaced' | 'kept' | 'excluded' | 'bytes',
      number
    >;
    this.#record = JSON.parse(row.record) as ExportRecord;
    const { written, replaced, kept, excluded, bytes } = row;
    this.#counters = { written, replaced, left: kept, excluded, bytes };
  }

  /** Makes the state of a new job. @param fill puts in what it begins with. @throws whatever SQLite throws */
  static create(
    path: string,
    record: ExportRecord,
    journal: 'WAL' | 'DELETE',
    hooks: CommitHooks,
    fill: (state: ExportState) => void,
  ): ExportState {
    const db = openDatabase(path);
    try {
      configure(db, journal);
      let state: ExportState | undefined;
      createTables(db, () => {
        db.prepare('INSERT INTO job VALUES (1, ?, 0, 0, 0, 0, 0, 0)').run(JSON.stringify(record));
        state = new ExportState(db, hooks);
        fill(state);
      });
      if (!state) throw new Error('No state was made.');
      return state;
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Opens the state of a job to go on with it. @throws ClfsError `state` */
  static open(path: string, journal: 'WAL' | 'DELETE', hooks: CommitHooks): ExportState {
    const db = openDatabase(path);
    try {
      checkTables(db, path);
      configure(db, journal);
      migrate(db);
      return new ExportState(db, hooks);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get record(): ExportRecord {
    return this.#record;
  }

  get counters(): ExportCounters {
    return this.#counters;
  }

  /** Runs `change` as one transaction, durable when this returns; whatever throws undoes all of it. */
  transact<T>(change: () => T): T {
    const saved = { record: this.#record, counters: this.#counters };
    return this.#writer.transact({
      change: () => {
        const result = change();
        const { written, replaced, left, excluded, bytes } = this.#counters;
        const nowMs = this.#hooks.now?.() ?? Date.now();
        this.#setCounters.run(written, replaced, left, excluded, bytes, nowMs);
        this.series.take(nowMs);
        return result;
      },
      committed: () => this.series.committed(),
      undo: () => {
        this.#record = saved.record;
        this.#counters = saved.counters;
        this.series.undone();
        this.directories.forget();
      },
    });
  }

  /** As {@link SoleWriter.requireMine}. @throws ClfsError `state-busy` */
  requireMine(): void {
    this.#writer.requireMine();
  }

  /** As {@link SoleWriter.isMine}. */
  get isMine(): boolean {
    return this.#writer.isMine;
  }

  /** Changes the record; inside a transaction. */
  update(change: Partial<ExportRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#setRecord.run(JSON.stringify(this.#record));
  }

  /** Adds to the counters; inside a transaction. */
  count(more: Partial<ExportCounters>): void {
    const { written, replaced, left, excluded, bytes } = this.#counters;
    this.#counters = {
      written: written + (more.written ?? 0),
      replaced: replaced + (more.replaced ?? 0),
      left: left + (more.left ?? 0),
      excluded: excluded + (more.excluded ?? 0),
      bytes: bytes + (more.bytes ?? 0),
    };
  }

  /** What failed, by reason. */
  failureGroups(): readonly FailureGroup[] {
    return readFailureGroups(this.#db, `phase = ${FailurePhase.failed}`, '1');
  }

  /** What a session that ended had claimed waits again; inside a transaction. */
  reclaim(): void {
    this.#db.exec(`
      UPDATE directory SET status = ${DirectoryStatus.found} WHERE status = ${DirectoryStatus.listing};
      UPDATE chunk SET status = ${WorkStatus.pending} WHERE status = ${WorkStatus.running};
      UPDATE link_group SET status = ${WorkStatus.pending} WHERE status = ${WorkStatus.running}
        AND id NOT IN (SELECT link_group FROM large WHERE link_group IS NOT NULL);
    `);
  }

  /**
   * Takes nothing for done any more: everything is read, and compared with what has been written. Directories stay, so
   * that what was under way in them is found, and removed in the end. Inside a transaction.
   */
  beginAnew(change: Partial<ExportRecord>): void {
    this.leftovers.addOpen();
    this.leftovers.addClaimed();
    this.#db.exec(`
      DELETE FROM chunk; DELETE FROM link; DELETE FROM link_group; DELETE FROM large; DELETE FROM failure;
      DELETE FROM pulse;
      UPDATE directory SET status = CASE id WHEN ${ROOT_DIRECTORY} THEN ${DirectoryStatus.found} ELSE ${DirectoryStatus.former} END,
        listed = 0, partial = 0, counted = 0, filled = 0, attributes = NULL;
    `);
    this.directories.forget();
    this.#counters = { written: 0, replaced: 0, left: 0, excluded: 0, bytes: 0 };
    this.update({ linkCopies: undefined, passedBytes: undefined, isAnew: true, finished: false, ...change });
  }

  close(): void {
    this.#db.close();
  }
}
