import { Tally } from '../books/tally.js';
import { type Database, openDatabase, Statement } from '../sqlite/database.js';
import { Chunks } from './chunks.js';
import { Directories } from './directories.js';
import { DirectoryLife } from './directory-life.js';
import { DroppedLinks } from './dropped-links.js';
import { type FailureGroup, readFailureGroups } from './failure-groups.js';
import { Failures } from './failures.js';
import { type CommitHooks, configure, SoleWriter } from './job-database.js';
import { decodeRecord, type JobRecord } from './job-record.js';
import { JobSeries } from './job-series.js';
import { LargeFiles } from './large-files.js';
import { Leftovers } from './leftovers.js';
import { LinkGroups } from './link-groups.js';
import { migrate, SCHEMA_VERSION } from './migrations.js';
import { countLinkCopies, countOpenEntries } from './read-job.js';
import { RootSeals } from './root-seal.js';
import {
  checkTables,
  createTables,
  DirectoryStatus,
  FailurePhase,
  LinkStatus,
  LookStatus,
  WorkStatus,
} from './schema.js';

/** Counts of a job over all its sessions. */
export interface JobCounters {
  /** Entries done: inodes, directories included. */
  readonly done: number;
  /** Bytes of file data done. */
  readonly bytes: number;
  /** Entries left out by the user's choice. */
  readonly excluded: number;
}

/** The state of one job: the only writer of its database. */
export class JobState {
  readonly directories: Directories;
  readonly directoryLife: DirectoryLife;
  readonly chunks: Chunks;
  readonly links: LinkGroups;
  readonly droppedLinks: DroppedLinks;
  readonly large: LargeFiles;
  readonly failures: Failures;
  readonly leftovers: Leftovers;
  readonly rootSeals: RootSeals;
  /** The job's past: each transaction writes to it what is due. */
  readonly series: JobSeries;
  readonly #db: Database;
  readonly #hooks: CommitHooks;
  readonly #writer: SoleWriter;
  readonly #setRecord: Statement;
  readonly #setCounters: Statement;
  readonly #setNext: Statement;
  readonly #addFileSystem: Statement;
  #record: JobRecord;
  #nextSequence: number;
  #nextManager: number;
  #counters: JobCounters;
  #tally: Tally;
  #encodedTally: Uint8Array;
  #tallyChanged = false;
  #aliveMs: number;
  #beforeCommit: () => void = () => undefined;
  #undone: () => void = () => undefined;
  readonly #fileSystems = new Map<string, number>();

  private constructor(db: Database, hooks: CommitHooks) {
    this.#db = db;
    this.#hooks = hooks;
    this.#writer = new SoleWriter(db, hooks);
    this.directories = new Directories(db);
    this.directoryLife = new DirectoryLife(db);
    this.chunks = new Chunks(db);
    this.links = new LinkGroups(db);
    this.droppedLinks = new DroppedLinks(db);
    this.large = new LargeFiles(db);
    this.failures = new Failures(db);
    this.leftovers = new Leftovers(db);
    this.rootSeals = new RootSeals(db);
    this.series = new JobSeries(db);
    this.#setRecord = new Statement(db, 'UPDATE job SET record = ?');
    this.#setCounters = new Statement(db, 'UPDATE job SET done = ?, bytes = ?, excluded = ?, alive_ms = ?, tally = ?');
    this.#setNext = new Statement(db, 'UPDATE job SET next_sequence = ?, next_manager = ?');
    this.#addFileSystem = new Statement(db, 'INSERT INTO file_system (number, device) VALUES (?, ?)');
    const row = db.prepare('SELECT * FROM job').get() as {
      record: string;
      next_sequence: number;
      next_manager: number;
      done: number;
      bytes: number;
      excluded: number;
      alive_ms: number;
      tally: Uint8Array | null;
    };
    this.#record = decodeRecord(row.record);
    this.#tally = Tally.decode(row.tally);
    this.#encodedTally = row.tally ?? new Uint8Array(0);
    this.#nextSequence = row.next_sequence;
    this.#nextManager = row.next_manager;
    this.#counters = { done: row.done, bytes: row.bytes, excluded: row.excluded };
    this.#aliveMs = row.alive_ms;
  }

  /**
   * Makes the state of a new job.
   *
   * @param firstSequence of the handles
   * @throws whatever SQLite throws
   */
  static create(
    path: string,
    record: JobRecord,
    firstSequence: number,
    journal: 'WAL' | 'DELETE',
    hooks: CommitHooks = {},
  ): JobState {
    const db = openDatabase(path);
    try {
      configure(db, journal);
      createTables(db, () =>
        db.prepare('INSERT INTO job VALUES (1, ?, ?, 1, 0, 0, 0, 0, NULL)').run(JSON.stringify(record), firstSequence),
      );
      return new JobState(db, hooks);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Opens the state of a job to go on with it. @throws ClfsError `state` */
  static open(path: string, journal: 'WAL' | 'DELETE', hooks: CommitHooks = {}): JobState {
    const db = openDatabase(path);
    try {
      checkTables(db, path);
      configure(db, journal);
      migrate(db);
      return new JobState(db, hooks);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  get record(): JobRecord {
    return this.#record;
  }

  get counters(): JobCounters {
    return this.#counters;
  }

  /** Latest time, in milliseconds since 1970, at which the job is known to have run; 0 for never. */
  get aliveMs(): number {
    return this.#aliveMs;
  }

  /**
   * Runs `change` as one transaction, durable when this returns.
   *
   * Whatever throws undoes all of it.
   */
  transact<T>(change: () => T): T {
    const saved = {
      record: this.#record,
      next: this.#nextSequence,
      manager: this.#nextManager,
      counters: this.#counters,
    };
    let tally = this.#encodedTally;
    return this.#writer.transact({
      change: () => {
        const result = change();
        if (this.#nextSequence !== saved.next || this.#nextManager !== saved.manager)
          this.#setNext.run(this.#nextSequence, this.#nextManager);
        this.#aliveMs = this.#hooks.now?.() ?? Date.now();
        if (this.#tallyChanged) tally = this.#tally.encode();
        const { done, bytes, excluded } = this.#counters;
        this.#setCounters.run(done, bytes, excluded, this.#aliveMs, tally);
        this.#beforeCommit();
        this.series.take(this.#aliveMs);
        return result;
      },
      committed: () => {
        this.#encodedTally = tally;
        this.#tallyChanged = false;
        this.series.committed();
      },
      undo: () => {
        this.#record = saved.record;
        this.#nextSequence = saved.next;
        this.#nextManager = saved.manager;
        this.#counters = saved.counters;
        if (this.#tallyChanged) this.#tally = Tally.decode(this.#encodedTally);
        this.#tallyChanged = false;
        this.series.undone();
        this.#undone();
      },
    });
  }

  /** Has `prepare` called at the end of every transaction, as part of it, and `undo` when one was undone. */
  beforeCommit(prepare: () => void, undo: () => void): void {
    this.#beforeCommit = prepare;
    this.#undone = undo;
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
  update(change: Partial<JobRecord>): void {
    this.#record = { ...this.#record, ...change };
    this.#setRecord.run(JSON.stringify(this.#record));
  }

  /**
   * Objects that count: what the container holds, the bucket object and logs apart. Not to be changed by the caller.
   */
  get tally(): Tally {
    return this.#tally;
  }

  /** Counts objects of a recorded result; inside a transaction. */
  addObjects(tally: Tally): void {
    this.#tally.plus(tally);
    this.#tallyChanged = true;
  }

  /**
   * Counts objects no more, which were superseded or given up; inside a transaction. Those of 0.1.0 were never counted.
   */
  removeObjects(tally: Tally): void {
    if (!this.#record.books) return;
    this.#tally.minus(tally);
    this.#tallyChanged = true;
  }

  /** Adds to the counters; inside a transaction. */
  count(done: number, bytes: number): void {
    this.#counters = { ...this.#counters, done: this.#counters.done + done, bytes: this.#counters.bytes + bytes };
  }

  /** Counts entries that were left out; inside a transaction. */
  countExcluded(entries: number): void {
    this.#counters = { ...this.#counters, excluded: this.#counters.excluded + entries };
  }

  /** Hands out sequence numbers; inside a transaction. @returns the first of them */
  takeSequences(count: number): number {
    const first = this.#nextSequence;
    this.#nextSequence += count;
    return first;
  }

  /** Hands out the next target manager of a directory; inside a transaction. */
  takeManager(managers: number): number {
    const manager = this.#nextManager;
    this.#nextManager = (manager + 1) % managers;
    return manager;
  }

  /** Number of a file system by its device in the current session, recorded when it is new; inside a transaction. */
  fileSystemOf(device: string): number {
    const known = this.#fileSystems.get(device);
    if (known !== undefined) return known;
    const next = (this.#db.prepare('SELECT coalesce(max(number), -1) + 1 AS n FROM file_system').get() as { n: number })
      .n;
    this.#addFileSystem.run(next, device);
    this.#fileSystems.set(device, next);
    return next;
  }

  /** Device of a file system in the current session; undefined when it has not been met. */
  deviceOf(fileSystem: number): string | undefined {
    for (const [device, number] of this.#fileSystems) if (number === fileSystem) return device;
    return undefined;
  }

  /** Number of the file system of a device in the current session; undefined when it has not been met. */
  fileSystemIn(device: string): number | undefined {
    return this.#fileSystems.get(device);
  }

  /** Says which device a recorded file system has in the current session. */
  bindFileSystem(fileSystem: number, device: string): void {
    this.#fileSystems.set(device, fileSystem);
  }

  /** Directories that are on another file system than the one that they are in, by which those can be found again. */
  mountPoints(): readonly { readonly fileSystem: number; readonly directory: number }[] {
    const sql = `SELECT d.file_system AS fileSystem, d.id AS directory FROM directory d JOIN directory p ON p.id = d.parent
      WHERE d.file_system <> p.file_system AND d.status <> ${DirectoryStatus.leaving} ORDER BY d.id`;
    return this.#db.prepare(sql).all() as never;
  }

  /**
   * Throws listings away that a session which ended had not completed: nothing of them has been sent; inside a
   * transaction.
   *
   * What was claimed for writing is for `load/tries.ts`.
   */
  reclaimListings(): void {
    const D = DirectoryStatus;
    this.#db.exec(`
      DELETE FROM directory WHERE status = ${D.hidden};
      DELETE FROM chunk WHERE status = ${WorkStatus.hidden};
      DELETE FROM link WHERE status = ${LinkStatus.hidden};
      DELETE FROM link_group WHERE status = ${WorkStatus.pending} AND written_name IS NULL AND id NOT IN (SELECT link_group FROM link);
      UPDATE directory SET status = ${D.found} WHERE status = ${D.listing};
      UPDATE directory SET look = ${LookStatus.wanted} WHERE look = ${LookStatus.running};
    `);
  }

  /** Entries known and not yet done or failed: for the progress of a job that goes on. */
  openEntries(): number {
    return countOpenEntries(this.#db, SCHEMA_VERSION);
  }

  /** What failed, by reason. */
  failureGroups(): readonly FailureGroup[] {
    return readFailureGroups(this.#db, `phase <> ${FailurePhase.underWay}`, 'further = 0');
  }

  /** Hard links that became copies of their own. */
  linkCopies(): number {
    return countLinkCopies(this.#db);
  }

  close(): void {
    this.#db.close();
  }
}
