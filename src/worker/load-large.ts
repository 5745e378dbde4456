import { setImmediate } from 'node:timers/promises';
import type { Attributes } from '../format/attributes.js';
import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { entryFailure, type SourceFile } from '../source/source-tree.js';
import { buildInode, buildSegment, layoutInode, SEGMENT_DATA_AT, segmentObjectBytes } from './build-inode.js';
import type { WorkContext } from './context.js';
import { toAttributes, unpackAttributes } from './file-attributes.js';
import { directBlocks, indirectRoots, putIndirectBlocks } from './indirect-blocks.js';
import { hashFile, manifestLines } from './manifest-lines.js';
import { problemOf } from './problem.js';
import type { FinishLargeTask, LargeFile, LargeResult, SegmentsTask } from './tasks.js';

/** Sends some segments of a large file. */
export function loadSegments(task: SegmentsTask, context: WorkContext): Promise<LargeResult> {
  return withLargeFile(task.file, context, async (file, attributes, sizeBytes) => {
    const { firstSegmentBytes, fileSegmentBytes } = context.constants.geometry;
    const handle = task.file.handle;
    const puts: Promise<void>[] = [];
    let bytes = 0;
    try {
      for (let block = task.first; block <= task.last; block++) {
        const offset = firstSegmentBytes + (block - 1) * fileSegmentBytes;
        const dataBytes = Math.min(fileSegmentBytes, sizeBytes - offset);
        const draft = await context.writer.reserve(segmentObjectBytes(dataBytes, handle));
        try {
          const buffer = draft.buffer();
          if (file.read(buffer.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + dataBytes), offset) !== dataBytes) throw changed();
          draft.seal(buildSegment(buffer, dataBytes, attributes.ctime.seconds, offset, handle));
          requireUnchanged(file, attributes);
        } catch (error) {
          draft.drop();
          throw error;
        }
        const id = context.ids.segment(task.file.sequence, task.file.generation, block);
        const put = draft.send(encodeObjectName({ id, type: ObjectType.segment, owner: handle, version: FIRST_VERSION }));
        put.catch(() => undefined);
        puts.push(put);
        bytes += dataBytes;
        await setImmediate();
      }
    } finally {
      await Promise.allSettled(puts);
    }
    await Promise.all(puts);
    return { bytes, manifest: [] };
  });
}

/** Sends what refers to the segments: the indirect blocks and the inode. */
export function finishLarge(task: FinishLargeTask, context: WorkContext): Promise<LargeResult> {
  return withLargeFile(task.file, context, async (file, attributes, sizeBytes) => {
    const { geometry } = context.constants;
    const { handle, sequence, generation, backPointers, version } = task.file;
    const owner = { sequence, generation, handle, blockCount: fileBlockCount(sizeBytes, geometry), ctimeSeconds: attributes.ctime.seconds };
    const hash = context.constants.manifest ? await hashFile(file, sizeBytes) : undefined;
    const written = { ...attributes, linkCount: backPointers.length };
    await putIndirectBlocks(owner, context);
    const layout = layoutInode(task.file, directBlocks(owner, context), geometry.firstSegmentBytes);
    const draft = await context.writer.reserve(layout.sizeBytes);
    try {
      const buffer = draft.buffer();
      const data = buffer.subarray(layout.dataAt, layout.dataAt + geometry.firstSegmentBytes);
      if (file.read(data, 0) !== data.length || file.read(Buffer.alloc(1), sizeBytes) !== 0) throw changed();
      draft.seal(buildInode(buffer, layout, task.file, written, data.length, geometry, indirectRoots(owner, context)));
      requireUnchanged(file, attributes);
    } catch (error) {
      draft.drop();
      throw error;
    }
    await draft.send(encodeObjectName({ id: handle, type: ObjectType.regular, owner: backPointers[0], version }));
    return { bytes: geometry.firstSegmentBytes, manifest: hash === undefined ? [] : manifestLines(task.file.paths, written, { handle, sha256: hash }) };
  });
}

async function withLargeFile(
  large: LargeFile,
  context: WorkContext,
  use: (file: SourceFile, attributes: Attributes, sizeBytes: number) => Promise<{ readonly bytes: number; readonly manifest: readonly string[] }>,
): Promise<LargeResult> {
  try {
    const directory = context.source.openDirectory(Buffer.from(large.place.path), large.place);
    try {
      const file = directory.openFile(Buffer.from(large.sourceName));
      try {
        const attributes = unpackAttributes(large.attributes);
        requireUnchanged(file, attributes);
        const { bytes, manifest } = await use(file, attributes, Number(attributes.lengthBytes));
        await context.container.flush();
        return { kind: 'large', failure: undefined, bytes, manifest };
      } finally {
        file.close();
      }
    } finally {
      directory.close();
    }
  } catch (error) {
    return { kind: 'large', failure: problemOf(error, 1), bytes: 0, manifest: [] };
  }
}

/** @throws ClfsError `entry` when the file is not any more what was recorded before its first segment was sent */
function requireUnchanged(file: SourceFile, recorded: Attributes): void {
  const now = file.attributes();
  const { mtime, ctime, inodeNumber, lengthBytes } = toAttributes(now, NO_CONSTANTS, Number(now.sizeBytes), 0);
  const same =
    now.type === ObjectType.regular &&
    inodeNumber === recorded.inodeNumber &&
    lengthBytes === recorded.lengthBytes &&
    mtime.seconds === recorded.mtime.seconds &&
    mtime.nanoseconds === recorded.mtime.nanoseconds &&
    ctime.seconds === recorded.ctime.seconds &&
    ctime.nanoseconds === recorded.ctime.nanoseconds;
  if (!same) throw changed();
}

const NO_CONSTANTS = { fsid: 0, containerId: 0 } as Parameters<typeof toAttributes>[1];

function changed(): Error {
  return entryFailure('entry-changed', 'it changed while it was read');
}
