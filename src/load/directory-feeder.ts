import { Tally } from '../books/tally.js';
import type { EntryType } from '../format/ids.js';
import { FIRST_VERSION } from '../format/names.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { DirectoryFill, DirectoryResult, DirectoryTask } from '../worker/tasks.js';
import type { JobContext } from './job-context.js';

/** Rows of a directory that go into one task. */
const CHUNKS_A_TASK = 256;
const ROWS_A_TASK = 16384;

type Stage = 'files' | 'directories' | 'links' | 'end';

/** Hands out what a directory's object is made of, a bounded part at a time. */
export class DirectoryFeeder {
  readonly directory: number;
  /** Of what its tasks have put so far. */
  readonly tally = new Tally();
  #stage: Stage = 'files';
  #after = 0;
  #fill: DirectoryFill = { block: 0, piece: new Uint8Array(0), firstPiece: undefined, lengthBytes: 0 };

  constructor(directory: number) {
    this.directory = directory;
  }

  /** Whether everything has been handed out. */
  get complete(): boolean {
    return this.#stage === 'end';
  }

  /** Blocks so far, block 0 included. */
  get blocks(): number {
    return this.#fill.block + 1;
  }

  /** Takes what a task has brought. */
  take(result: DirectoryResult): void {
    this.#fill = result.fill;
    this.tally.plus(Tally.decode(result.tally));
  }

  /** The next task; what the one before brought has been taken. */
  next(context: JobContext): DirectoryTask {
    const { state } = context;
    const record = state.directories.get(this.directory);
    const facts = context.directory(this.directory);
    const root = this.directory === ROOT_DIRECTORY;
    const files: DirectoryTask['files'][number][] = [];
    const directories: DirectoryTask['directories'][number][] = [];
    const links: DirectoryTask['links'][number][] = [];
    if (this.#stage === 'files')
      this.#page(
        state.chunks.ofDirectory(this.directory, this.#after, CHUNKS_A_TASK),
        CHUNKS_A_TASK,
        'directories',
        files,
      );
    if (this.#stage === 'directories')
      this.#page(
        state.directories.children(this.directory, this.#after, ROWS_A_TASK),
        ROWS_A_TASK,
        'links',
        directories,
      );
    if (this.#stage === 'links') {
      const rows = state.links.ofDirectory(this.directory, this.#after, ROWS_A_TASK);
      const withHandles = rows.map((row) => ({
        id: row.id,
        name: row.name,
        handle: context.groupHandle({ ...row, type: row.type as EntryType }),
      }));
      this.#page(withHandles, ROWS_A_TASK, 'end', links);
    }
    const last = this.#stage === 'end';
    return {
      path: facts.path,
      sequence: record.sequence,
      handle: facts.handle,
      parentHandle: root ? facts.handle : context.directory(record.parent).handle,
      name: record.name,
      attributes: record.attributes ?? new Uint8Array(0),
      version: FIRST_VERSION + record.revision,
      generation: record.revision,
      extendedAttributes: root ? rootAttributes(context) : undefined,
      subdirectoryCount: last ? state.directories.countChildren(this.directory) : 0,
      from: this.#fill,
      files,
      directories,
      links,
      last,
    };
  }

  /** Takes a page; a short one ends the stage. */
  #page<U, T extends U & { readonly id: number }>(rows: readonly T[], limit: number, next: Stage, target: U[]): void {
    target.push(...rows);
    if (rows.length < limit) {
      this.#stage = next;
      this.#after = 0;
    } else this.#after = rows[rows.length - 1].id;
  }
}

function rootAttributes(context: JobContext): Map<string, string> {
  const { massUuid, wipeEpoch } = context.state.record;
  return new Map([
    ['containeridEpoch', '2'],
    ['massUUID', massUuid],
    ['wipeEpoch', wipeEpoch],
  ]);
}
