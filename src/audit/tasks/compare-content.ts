import { createHash } from 'node:crypto';
import type { FoundInode } from '../../namespace/reader.js';
import type { ExpectedContent, ExpectedDirectory } from '../expectation.js';
import { type AuditContext, readWithinBudget, uncheckedBy } from './context.js';
import type { RangeResult, RangeTask } from './kinds.js';

/** Files of more bytes than this are compared in parts of so many, by whichever lanes are free. */
export const LARGE_BYTES = 16 * 8 * 1048576;
const BUFFER_BYTES = 1048576;

/** Content that can be compared. */
type KnownContent = Exclude<ExpectedContent, { readonly kind: 'unknown' }>;

/**
 * Compares bytes of a file with what they should be, and closes that.
 *
 * @param isLast whether the file should end at `end`; a sum is that of the whole file
 * @param onBytes told of bytes that were compared
 * @returns what differs; undefined: nothing
 */
export async function compareContent(
  context: Pick<AuditContext, 'reader' | 'contentBudget'>,
  found: FoundInode,
  expected: KnownContent,
  start: number,
  end: number,
  isLast: boolean,
  onBytes: (bytes: number) => void,
): Promise<string | undefined> {
  const pieces = readWithinBudget(context, found, start, end - start);
  if (expected.kind === 'sha256') {
    const hash = createHash('sha256');
    for await (const piece of pieces) {
      hash.update(piece);
      onBytes(piece.length);
      await context.reader.pause();
    }
    return hash.digest('hex') === expected.hex ? undefined : 'content has another SHA-256';
  }
  try {
    let position = start;
    let hasEnd = false;
    const most = Math.max(1, Math.min(BUFFER_BYTES, end - start));
    // One byte of room more than the data: reading it tells whether the file goes on.
    const buffer = Buffer.allocUnsafe(most + 1);
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += most) {
        const part = piece.subarray(at, at + most);
        hasEnd = isLast && position + part.length === end;
        const room = buffer.subarray(0, part.length + (hasEnd ? 1 : 0));
        const read = expected.read(room, position, part.length);
        const count = typeof read === 'number' ? read : await read;
        if (count < part.length || !buffer.subarray(0, part.length).equals(part))
          return `content differs within the ${part.length} bytes from ${position} on`;
        position += part.length;
        if (count > part.length) return contentEnds(position);
      }
      onBytes(piece.length);
      await context.reader.pause();
    }
    if (isLast && !hasEnd && (await expected.read(buffer.subarray(0, 1), position, 1)) !== 0)
      return contentEnds(position);
    return undefined;
  } finally {
    expected.close();
  }
}

function contentEnds(position: number): string {
  return `content ends at ${position}`;
}

/** Compares a part of a large file, of which only the content is left to be compared. */
export async function compareRange(task: RangeTask, context: AuditContext): Promise<RangeResult> {
  let bytes = 0;
  try {
    const found = await context.reader.inode(Buffer.from(task.handle));
    const { firstByte, endByte, isLast } = task;
    const difference = await withContent(task, context, (content) =>
      compareContent(context, found, content, firstByte, endByte, isLast, (count) => {
        bytes += count;
      }),
    );
    return { difference, unchecked: undefined, bytes };
  } catch (error) {
    return { difference: undefined, unchecked: uncheckedBy(error), bytes };
  }
}

async function withContent<T>(
  { path, name, sha256 }: RangeTask,
  { expectation, directories }: AuditContext,
  use: (content: KnownContent) => Promise<T>,
): Promise<T> {
  if (sha256 !== undefined) return use({ kind: 'sha256', hex: sha256 });
  if (!expectation) throw new Error('A lane without an expectation was asked to compare.');
  const giveBack = await directories.take();
  let directory: ExpectedDirectory | undefined;
  try {
    directory = await expectation.directory(Buffer.from(path));
    const content = await directory.content(Buffer.from(name));
    if (content.kind === 'unknown') throw new Error('What is expected of a file is not known any more.');
    return await use(content);
  } finally {
    directory?.close();
    giveBack();
  }
}
