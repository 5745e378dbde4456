import type { PartSink } from '../../engine/kinds.js';
import { isDot, isDotDot } from '../../format/dirents.js';
import type { ContainerReader, FoundInode } from '../../namespace/reader.js';
import { joined } from '../../spill/spilled-list.js';
import { SpilledMap } from '../../spill/spilled-map.js';
import { quotePath } from '../../text/escape-path.js';
import type { Expectation, ExpectedDirectory } from '../expectation.js';
import { compareAttributes, EXACTLY } from './attributes.js';
import { type AuditContext, uncheckedBy } from './context.js';
import type { AttributeComparison, DirectoryPart, DirectoryResult, DirectoryTask } from './kinds.js';

/** Entries that are compared by one task. */
const CHUNK_ENTRIES = 64;
/** Entries after which what has been found is handed on. */
const PART_ENTRIES = 4096;

/** Compares a directory by the expectation that a lane has. */
export async function compareDirectory(
  task: DirectoryTask,
  { reader, expectation, constants, directories }: AuditContext,
  tell: PartSink<DirectoryPart>,
): Promise<DirectoryResult> {
  if (!expectation) throw new Error('A lane without an expectation was asked to compare.');
  const giveBack = await directories.take();
  try {
    return await compareDirectoryWith(expectation, reader, constants.compare ?? EXACTLY, task, tell);
  } finally {
    giveBack();
  }
}

/**
 * Compares a directory with what it should be, and the names in it with those that should be there.
 *
 * What was told of it counts, also when not all of it could be read in the end.
 */
export async function compareDirectoryWith(
  expectation: Expectation,
  reader: ContainerReader,
  comparison: AttributeComparison,
  { path: bytes, handle }: DirectoryTask,
  tell: PartSink<DirectoryPart>,
): Promise<DirectoryResult> {
  const path = Buffer.from(bytes);
  const handles = new SpilledMap();
  const part = new PartBuilder(tell);
  let expected: ExpectedDirectory | undefined;
  let differences: DirectoryResult['differences'];
  try {
    const found = await reader.inode(Buffer.from(handle));
    const repeated = await readHandles(reader, found, handles);
    expected = await expectation.directory(path);
    differences = compareAttributes(expected.self, found, comparison);
    if (repeated.length > 0)
      differences = { texts: [...differences.texts, `${quotePath(repeated[0])} is in it twice`], onlyRounding: false };
    for await (const name of expected.names()) {
      const there = handles.get(name);
      handles.delete(name);
      part.add(name, there);
      await reader.pause();
    }
    for (const [name] of handles.entries()) {
      part.addExtra(name);
      await reader.pause();
    }
    part.tell();
    return { differences, unchecked: undefined };
  } catch (error) {
    const unchecked = uncheckedBy(error);
    part.tell();
    return { differences, unchecked };
  } finally {
    expected?.close();
    handles.close();
  }
}

/** @returns names that are there more than once, some of them */
async function readHandles(
  reader: ContainerReader,
  found: FoundInode,
  handles: SpilledMap,
): Promise<readonly Buffer[]> {
  const repeated: Buffer[] = [];
  for await (const piece of reader.entries(found)) {
    for (const { name, handle } of piece) {
      if (isDot(name) || isDotDot(name)) continue;
      if (repeated.length === 0 && handles.has(name)) repeated.push(Buffer.from(name));
      handles.set(name, Buffer.from(handle));
    }
    await reader.pause();
  }
  return repeated;
}

class PartBuilder {
  readonly #tell: PartSink<DirectoryPart>;
  #chunk: Uint8Array[] = [];
  #chunks: Uint8Array[] = [];
  #missing: Uint8Array[] = [];
  #extra: Uint8Array[] = [];
  #entries = 0;

  constructor(tell: PartSink<DirectoryPart>) {
    this.#tell = tell;
  }

  /** @param handle undefined: only the expectation has it */
  add(name: Uint8Array, handle: Uint8Array | undefined): void {
    if (!handle) this.#missing.push(name);
    else {
      this.#chunk.push(name, handle);
      if (this.#chunk.length === 2 * CHUNK_ENTRIES) this.#endChunk();
    }
    this.#count();
  }

  addExtra(name: Uint8Array): void {
    this.#extra.push(name);
    this.#count();
  }

  tell(): void {
    if (this.#chunk.length > 0) this.#endChunk();
    if (this.#entries > 0) this.#tell({ chunks: this.#chunks, missing: this.#missing, extra: this.#extra });
    this.#chunks = [];
    this.#missing = [];
    this.#extra = [];
    this.#entries = 0;
  }

  #count(): void {
    this.#entries++;
    if (this.#entries >= PART_ENTRIES) this.tell();
  }

  #endChunk(): void {
    this.#chunks.push(joined(this.#chunk));
    this.#chunk = [];
  }
}
