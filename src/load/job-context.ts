import { type EntryType, ObjectType, ROOT_ID } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import type { JobLog } from '../log/job-log.js';
import { joinPath } from '../paths/join-path.js';
import type { SourcePlace } from '../source/source-place.js';
import type { DirectoryRecord } from '../state/directories.js';
import { JobCensus } from '../state/job-census.js';
import type { JobState } from '../state/job-state.js';
import type { LargeRecord } from '../state/large-files.js';
import type { LinkGroupRecord, WrittenGroup } from '../state/link-groups.js';
import type { Clock } from '../time/clock.js';
import type { JobIds } from '../worker/job-ids.js';
import type { DirectoryPlace, JobConstants, LargeFile } from '../worker/tasks.js';
import type { HeldMounts } from './held-mounts.js';
import { doneSegmentBytes } from './large-tracker.js';
import { Losses } from './losses.js';
import type { ManifestFile } from './manifest-file.js';
import type { Progress } from './progress.js';

/** Directories whose path and handle are kept at hand. */
const CACHED_DIRECTORIES = 8192;

/** A directory as the tasks need it. */
export interface DirectoryFacts {
  readonly path: Buffer;
  readonly handle: Buffer;
  /** Its target manager: the source manager of its entries. */
  readonly manager: number;
  readonly place: DirectoryPlace;
}

/** What the parts of a running load share. */
export class JobContext {
  readonly state: JobState;
  readonly ids: JobIds;
  readonly constants: JobConstants;
  readonly progress: Progress;
  readonly log: JobLog;
  readonly clock: Clock;
  /** Where the lines of the manifest go; undefined when none is wanted. */
  readonly manifest: ManifestFile | undefined;
  /** Where the source is now; undefined where that cannot be told. */
  readonly sourcePlace: () => SourcePlace | undefined;
  /** While a session runs. */
  held: HeldMounts | undefined;
  readonly losses = new Losses();
  /** What has been loaded, for people. */
  readonly census = new JobCensus();
  readonly #cache = new Map<number, DirectoryFacts>();

  constructor(parts: {
    readonly state: JobState;
    readonly ids: JobIds;
    readonly constants: JobConstants;
    readonly progress: Progress;
    readonly log: JobLog;
    readonly clock: Clock;
    readonly manifest: ManifestFile | undefined;
    readonly sourcePlace: () => SourcePlace | undefined;
  }) {
    const { state, ids, constants, progress, log, clock, manifest, sourcePlace } = parts;
    this.sourcePlace = sourcePlace;
    this.state = state;
    this.clock = clock;
    this.ids = ids;
    this.constants = constants;
    this.progress = progress;
    this.log = log;
    this.manifest = manifest;
  }

  directory(id: number): DirectoryFacts {
    const cached = this.#cache.get(id);
    if (cached) return cached;
    // Those above it that are not at hand, too: not by recursion, since a tree may be deeper than the stack.
    const records: DirectoryRecord[] = [];
    let above: DirectoryFacts | undefined;
    for (let at = id; at !== 0 && !above; ) {
      const record = this.state.directories.get(at);
      records.push(record);
      at = record.parent;
      above = this.#cache.get(at);
    }
    let facts = this.#describe(records[records.length - 1], above);
    for (const record of records.reverse().slice(1)) facts = this.#describe(record, facts);
    return facts;
  }

  /** @param parent undefined: it is the root */
  #describe(record: DirectoryRecord, parent: DirectoryFacts | undefined): DirectoryFacts {
    const { id, name, sequence, manager, fileSystem, inode, bornNs } = record;
    const path = parent ? joinPath(parent.path, name) : Buffer.alloc(0);
    const handle = parent
      ? this.ids.handle(sequence, ObjectType.directory, parent.manager, manager)
      : Buffer.from(ROOT_ID);
    const place = { path, device: this.state.deviceOf(fileSystem), inode, bornNs };
    const facts = { path, handle, manager: parent ? manager : 0, place };
    if (this.#cache.size >= CACHED_DIRECTORIES) this.#cache.clear();
    this.#cache.set(id, facts);
    return facts;
  }

  /**
   * Records what share of the work is done, in the transaction of the results that brought it: what is shown of it is
   * never taken back by a crash.
   */
  recordShare(): void {
    const { state, progress } = this;
    const { permille, sized } = progress.toRecord();
    if (permille > state.record.permille || (sized && !state.record.sized)) state.update({ permille, sized });
  }

  /** The devices of file systems are known anew. */
  forgetDirectories(): void {
    this.#cache.clear();
  }

  forgetDirectory(id: number): void {
    this.#cache.delete(id);
  }

  /** Path below the root of an entry. */
  entryPath(directory: number, name: Uint8Array): Buffer {
    return directory === 0 ? Buffer.alloc(0) : joinPath(this.directory(directory).path, name);
  }

  groupHandle(group: Pick<LinkGroupRecord, 'sequence' | 'type' | 'manager'>): Buffer {
    return this.ids.handle(group.sequence, group.type, group.manager, group.manager);
  }

  /** Name of a group's inode, in the revision that is claimed. */
  groupName(group: LinkGroupRecord): string {
    return this.#nameOfGroup(group, FIRST_VERSION + group.revision);
  }

  /** Name of a group's inode that counts: what version 0.1.0 wrote is known by its revision. */
  writtenName(group: LinkGroupRecord, { name }: WrittenGroup): string {
    const revision = /^revision (\d+)$/.exec(name);
    return revision ? this.#nameOfGroup(group, FIRST_VERSION + Number(revision[1])) : name;
  }

  #nameOfGroup(group: LinkGroupRecord, version: number): string {
    const [first] = this.state.links.links(group.id);
    const owner = this.directory(first.directory).handle;
    return encodeObjectName({ id: this.groupHandle(group), type: group.type, owner, version });
  }

  /**
   * Bytes that the recorded segments of a large file count for; 0 when the inode counts already and is written again.
   */
  segmentBytes(large: LargeRecord): number {
    if (large.origin.chunk === undefined && this.state.links.get(large.origin.group).written) return 0;
    return doneSegmentBytes(large, Number(unpackAttributes(large.attributes).lengthBytes), this.constants.geometry);
  }

  /** A large file as the tasks need it. */
  largeFile(record: LargeRecord): LargeFile {
    const directory = this.directory(record.directory);
    const common = {
      place: directory.place,
      sourceName: record.sourceName,
      sequence: record.sequence,
      generation: record.generation,
      attributes: record.attributes,
    };
    if (record.origin.chunk !== undefined) {
      const handle = this.entryHandle(record.sequence, ObjectType.regular, directory.manager);
      const paths = [joinPath(directory.path, record.sourceName)];
      return {
        ...common,
        paths,
        handle,
        backPointers: [directory.handle],
        name: record.sourceName,
        version: FIRST_VERSION,
      };
    }
    const group = this.state.links.get(record.origin.group);
    const links = this.state.links.links(group.id);
    const backPointers = links.map((link) => this.directory(link.directory).handle);
    const paths = links.map((link) => joinPath(this.directory(link.directory).path, link.name));
    return {
      ...common,
      paths,
      handle: this.groupHandle(group),
      backPointers,
      name: links[0].name,
      version: FIRST_VERSION + group.revision,
    };
  }

  entryHandle(sequence: number, type: EntryType, manager: number): Buffer {
    return this.ids.handle(sequence, type, manager, manager);
  }
}
