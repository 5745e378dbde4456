import { createHash } from 'node:crypto';
import { ObjectType } from '../../format/ids.js';
import { fileSize } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { sideBySide } from '../../namespace/side-by-side.js';
import { joinPath } from '../../paths/join-path.js';
import { separated } from '../../spill/spilled-list.js';
import type { ExpectedContent, ExpectedEntry } from '../expectation.js';
import { compareAttributes, EXACTLY } from './attributes.js';
import { compareContent, LARGE_BYTES } from './compare-content.js';
import { type AuditContext, uncheckedBy } from './context.js';
import type { EntriesResult, EntriesTask, EntryLink, EntryOutcome, GivenEntry } from './kinds.js';

/** What a task needs of a directory of the expectation. */
interface Expected {
  entry(name: Buffer, index: number): ExpectedEntry | Promise<ExpectedEntry>;
  content(name: Buffer, index: number): ExpectedContent | Promise<ExpectedContent>;
  close(): void;
}

/** Compares entries of one directory with what they should be. */
export async function compareEntries(task: EntriesTask, context: AuditContext): Promise<EntriesResult> {
  const giveBack = await context.directories.take();
  try {
    return await compareAll(task, context);
  } finally {
    giveBack();
  }
}

async function compareAll(task: EntriesTask, context: AuditContext): Promise<EntriesResult> {
  const path = Buffer.from(task.path);
  const items = [...separated(Buffer.from(task.entries))];
  const entries = Array.from({ length: items.length / 2 }, (_, index) => index);
  let expected: Expected;
  try {
    expected = task.given ? expectGiven(task.given) : await openExpected(context, path);
  } catch (error) {
    const unchecked = uncheckedBy(error);
    return { outcomes: entries.map(() => ({ unchecked })), contents: 0, bytes: 0 };
  }
  const comparison = new EntryComparison(context, expected, path);
  const outcomes: EntryOutcome[] = [];
  try {
    await sideBySide(entries, entries.length, async (index) => {
      const giveBack = await context.entries.take();
      try {
        outcomes[index] = await comparison.compare(items[2 * index], items[2 * index + 1], index);
      } finally {
        giveBack();
      }
      await context.reader.pause();
    });
  } finally {
    // Nothing of it is under way any more.
    expected.close();
  }
  return { outcomes, contents: comparison.contents, bytes: comparison.bytes };
}

async function openExpected({ expectation }: AuditContext, path: Buffer): Promise<Expected> {
  if (!expectation) throw new Error('A lane without an expectation was asked to compare.');
  return expectation.directory(path);
}

function expectGiven(given: readonly GivenEntry[]): Expected {
  return {
    entry: (_name, index) => given[index].entry,
    content(_name, index) {
      const { sha256 } = given[index];
      return sha256 === undefined ? { kind: 'unknown' } : { kind: 'sha256', hex: sha256 };
    },
    close: () => undefined,
  };
}

class EntryComparison {
  readonly #context: AuditContext;
  readonly #expected: Expected;
  readonly #path: Buffer;
  contents = 0;
  bytes = 0;

  constructor(context: AuditContext, expected: Expected, path: Buffer) {
    this.#context = context;
    this.#expected = expected;
    this.#path = path;
  }

  async compare(name: Buffer, handle: Buffer, index: number): Promise<EntryOutcome> {
    const { reader, constants } = this.#context;
    try {
      const told = this.#expected.entry(name, index);
      const expected = told instanceof Promise ? await told : told;
      const found = await reader.inode(handle);
      const { type } = found.inode.attributes;
      if (expected.type === ObjectType.directory && type === ObjectType.directory) return { isDirectory: true };
      const differences = compareAttributes(expected, found, constants.compare ?? EXACTLY);
      const link = linkOf(expected, found);
      if (differences.texts.length > 0) {
        this.#passOver(found);
        return { differences, link };
      }
      if (expected.type !== ObjectType.regular || !this.#isSampled(name)) return link ? { link } : {};
      const content = await this.#expected.content(name, index);
      if (content.kind === 'unknown') {
        this.#passOver(found);
        return { unchecked: 'its content is not in the manifest', link };
      }
      this.contents++;
      const sizeBytes = fileSize(found);
      if (sizeBytes > LARGE_BYTES) {
        if (content.kind === 'bytes') content.close();
        return { link, largeBytes: sizeBytes };
      }
      let compared = 0;
      const difference = await compareContent(this.#context, found, content, 0, sizeBytes, true, (bytes) => {
        this.bytes += bytes;
        compared += bytes;
      });
      if (difference !== undefined) reader.countPassed(0, sizeBytes - compared);
      return difference === undefined ? { link } : { differences: { texts: [difference], onlyRounding: false }, link };
    } catch (error) {
      return { unchecked: uncheckedBy(error) };
    }
  }

  /** The content of a file is not compared. */
  #passOver(found: FoundInode): void {
    if (found.inode.attributes.type !== ObjectType.regular) return;
    const heldBytes = found.inode.data?.length ?? 0;
    this.#context.reader.countPassed(found.storedBytes, Math.max(0, fileSize(found) - heldBytes));
  }

  #isSampled(name: Buffer): boolean {
    const { compare } = this.#context.constants;
    if (!compare?.content) return false;
    if (compare.sample >= 1) return true;
    const path = joinPath(this.#path, name);
    return createHash('sha256').update(path).digest().readUInt32LE(0) / 0x1_0000_0000 < compare.sample;
  }
}

/** What tells which names are one file, where it has several on either side; links of directories are no names. */
function linkOf(expected: ExpectedEntry, { id, inode }: FoundInode): EntryLink | undefined {
  const { type, linkCount } = inode.attributes;
  if (type === ObjectType.directory || expected.type === ObjectType.directory) return undefined;
  return linkCount > 1 || expected.linkKey !== undefined ? { id, linkCount, key: expected.linkKey } : undefined;
}
