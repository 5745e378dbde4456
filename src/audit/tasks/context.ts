import { isClfsError, messageOf } from '../../error.js';
import { fileBlockCount } from '../../format/geometry.js';
import { ByteBudget } from '../../namespace/byte-budget.js';
import { readContent, SEGMENTS_AHEAD } from '../../namespace/content.js';
import { ReadPlaces } from '../../namespace/read-window.js';
import type { ContainerReader, FoundInode } from '../../namespace/reader.js';
import { type DescriptorPlaces, descriptorPlaces } from '../../posix/descriptors.js';
import type { Expectation } from '../expectation.js';
import type { AuditConstants } from './kinds.js';

/** Directories of the expectation that tasks of one lane have open at once. */
const MOST_DIRECTORIES = 16;
/** Bytes of segments that one lane has in memory at once. */
const CONTENT_BYTES = 32 * 1048576;

/** What the tasks of one lane share. */
export interface AuditContext {
  readonly constants: AuditConstants;
  readonly reader: ContainerReader;
  /** Undefined where tasks say what is expected, or nothing is compared. */
  readonly expectation: Expectation | undefined;
  /*
   * Who takes several of these takes them in this order: a directory of the expectation, an entry, bytes of its content.
   * So nobody waits for somebody who waits for him.
   */
  readonly directories: DescriptorPlaces;
  readonly entries: ReadPlaces;
  readonly contentBudget: ByteBudget;
}

/** @param lanes of the process, which share its descriptors */
export function createAuditContext(
  constants: AuditConstants,
  reader: ContainerReader,
  expectation: Expectation | undefined,
  lanes = 1,
): AuditContext {
  return {
    constants,
    reader,
    expectation,
    directories: descriptorPlaces(MOST_DIRECTORIES, { sharers: 4 * lanes }),
    entries: new ReadPlaces(reader.container),
    contentBudget: new ByteBudget(CONTENT_BYTES),
  };
}

/** {@link readContent} within the budget of the lane. @throws as that */
export async function* readWithinBudget(
  { reader, contentBudget }: Pick<AuditContext, 'reader' | 'contentBudget'>,
  found: FoundInode,
  offset: number,
  length: number,
): AsyncGenerator<Buffer> {
  const { fileSegmentBytes } = reader.geometry;
  const segments = fileBlockCount(offset + length, reader.geometry) - 1;
  const giveBack =
    segments > 0 ? await contentBudget.take(Math.min(length, (SEGMENTS_AHEAD + 1) * fileSegmentBytes)) : undefined;
  try {
    yield* readContent(reader, found, offset, length);
  } finally {
    giveBack?.();
  }
}

/** Why something of the container or the expectation could not be checked. @throws what was thrown for other reasons */
export function uncheckedBy(error: unknown): string {
  if (!isClfsError(error, 'format', 'not-found', 'entry')) throw error;
  return messageOf(error);
}
