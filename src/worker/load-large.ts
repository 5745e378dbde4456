import { setImmediate } from 'node:timers/promises';
import { Tally } from '../books/tally.js';
import { type Breakage, breakageOf } from '../engine/breakage.js';
import type { PartSink } from '../engine/kinds.js';
import { atMost, REPORT_MS, STOP_LOOK_MS } from '../engine/report.js';
import { isClfsError } from '../error.js';
import type { Attributes } from '../format/attributes.js';
import { fileBlockCount } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { buildInode, buildSegment, layoutInode, SEGMENT_DATA_AT, segmentObjectBytes } from '../format/object-layout.js';
import { unpackAttributes } from '../format/packed-attributes.js';
import { stopped } from './breakage.js';
import { inDirectory, type WorkContext } from './context.js';
import { directBlocks, indirectRoots, putIndirectBlocks } from './indirect-blocks.js';
import { type LargeReader, openLarge } from './large-reader.js';
import { manifestLines } from './manifest-lines.js';
import { problemOf } from './problem.js';
import type {
  EntryProblem,
  FinishLargeResult,
  FinishLargeTask,
  LargeFile,
  SegmentsPart,
  SegmentsResult,
  SegmentsTask,
} from './tasks.js';

/** Sends some segments of a large file. */
export async function loadSegments(
  task: SegmentsTask,
  context: WorkContext,
  tell: PartSink<SegmentsPart>,
): Promise<SegmentsResult> {
  const segments = new SegmentsInProgress(context, tell);
  let block = task.first;
  const end = await withLargeFile(task.file, context, async (file, attributes, sizeBytes) => {
    const { firstSegmentBytes, fileSegmentBytes } = context.constants.geometry;
    const { handle, sequence, generation } = task.file;
    // Begun anew with the file opened again, it goes on where it failed.
    for (; block <= task.last && !context.stop.asked; block++) {
      const offset = firstSegmentBytes + (block - 1) * fileSegmentBytes;
      const dataBytes = Math.min(fileSegmentBytes, sizeBytes - offset);
      const draft = await file.reading(offset, dataBytes, attributes, async (read) => {
        const reserved = await context.writer.reserve(segmentObjectBytes(dataBytes, handle));
        try {
          const buffer = reserved.buffer();
          read(buffer.subarray(SEGMENT_DATA_AT, SEGMENT_DATA_AT + dataBytes));
          reserved.seal(buildSegment(buffer, dataBytes, attributes.ctime.seconds, offset, handle));
          return reserved;
        } catch (error) {
          reserved.drop();
          throw error;
        }
      });
      const id = context.ids.segment(sequence, generation, block);
      const name = encodeObjectName({ id, type: ObjectType.segment, owner: handle, version: FIRST_VERSION });
      segments.track(block, name, draft.storedBytes, draft.send(name));
      await segments.report();
      await setImmediate();
    }
  });
  return segments.end(end);
}

/** Segments under way: which of them are acknowledged, and were not reported yet. */
class SegmentsInProgress {
  readonly #context: WorkContext;
  readonly #tell: PartSink<SegmentsPart>;
  #news: { readonly block: number; readonly tally: Uint8Array }[] = [];
  #reportedMs: number;
  #broken: Breakage | undefined;
  readonly #puts: Promise<void>[] = [];

  constructor(context: WorkContext, tell: PartSink<SegmentsPart>) {
    this.#context = context;
    this.#tell = tell;
    this.#reportedMs = context.clock.monotonic();
  }

  track(block: number, name: string, storedBytes: number, put: Promise<void>): void {
    const tracked = put.then(
      () => {
        const tally = new Tally();
        tally.add(ObjectType.segment, name, storedBytes);
        this.#news.push({ block, tally: tally.encode() });
      },
      (error: unknown) => {
        this.#broken ??= breakageOf(error);
      },
    );
    this.#puts.push(tracked);
  }

  /** Tells what is acknowledged, if the last time is a while ago. */
  async report(): Promise<void> {
    if (this.#news.length === 0 || this.#context.clock.monotonic() - this.#reportedMs < REPORT_MS) return;
    const part = await this.#takeDurable();
    if (part.blocks.length > 0) this.#tell(part);
  }

  async end(end: { readonly failure?: EntryProblem; readonly broken?: Breakage }): Promise<SegmentsResult> {
    const { stop, clock } = this.#context;
    let open = this.#puts.length;
    for (const put of this.#puts) void put.then(() => open--);
    while (open > 0 && !stop.abandoned) {
      await atMost(clock, stop.asked ? STOP_LOOK_MS : REPORT_MS, Promise.all(this.#puts));
      await this.report();
    }
    if (open > 0) this.#broken ??= breakageOf(stopped());
    const part = await this.#takeDurable();
    const broken = end.broken ?? this.#broken ?? (this.#context.stop.asked ? breakageOf(stopped()) : undefined);
    return { ...part, failure: end.failure, broken };
  }

  async #takeDurable(): Promise<SegmentsPart> {
    const blocks = this.#news;
    this.#news = [];
    this.#reportedMs = this.#context.clock.monotonic();
    try {
      await this.#context.container.flush();
      return { blocks };
    } catch (error) {
      this.#broken ??= breakageOf(error);
      return { blocks: [] };
    }
  }
}

/** Sends what refers to the segments: the indirect blocks and the inode. */
export async function finishLarge(task: FinishLargeTask, context: WorkContext): Promise<FinishLargeResult> {
  const { geometry } = context.constants;
  let tally = new Tally();
  let manifest: readonly string[] = [];
  const end = await withLargeFile(task.file, context, async (file, attributes, sizeBytes) => {
    tally = new Tally();
    const { handle, sequence, generation, backPointers, version } = task.file;
    const blockCount = fileBlockCount(sizeBytes, geometry);
    const owner = { sequence, generation, handle, blockCount, ctimeSeconds: attributes.ctime.seconds };
    const hash = context.constants.spec.manifest !== undefined ? await file.hash(sizeBytes) : undefined;
    const written = { ...attributes, linkCount: backPointers.length };
    await putIndirectBlocks(owner, context, tally);
    const layout = layoutInode(task.file, directBlocks(owner, context), geometry.firstSegmentBytes);
    await file.requireEnd(sizeBytes);
    const draft = await file.reading(0, geometry.firstSegmentBytes, attributes, async (read) => {
      const reserved = await context.writer.reserve(layout.sizeBytes);
      try {
        const buffer = reserved.buffer();
        read(buffer.subarray(layout.dataAt, layout.dataAt + geometry.firstSegmentBytes));
        const roots = indirectRoots(owner, context);
        reserved.seal(buildInode(buffer, layout, task.file, written, geometry.firstSegmentBytes, geometry, roots));
        return reserved;
      } catch (error) {
        reserved.drop();
        throw error;
      }
    });
    const name = encodeObjectName({ id: handle, type: ObjectType.regular, owner: backPointers[0], version });
    tally.add(ObjectType.regular, name, draft.storedBytes);
    await draft.send(name);
    await context.container.flush();
    if (hash !== undefined) manifest = manifestLines(task.file.paths, written, { handle, sha256: hash });
  });
  const { failure, broken } = end;
  const bytes = geometry.firstSegmentBytes;
  return { failure, broken, bytes, tally: tally.encode(), manifest };
}

async function withLargeFile(
  large: LargeFile,
  context: WorkContext,
  use: (file: LargeReader, attributes: Attributes, sizeBytes: number) => Promise<void>,
): Promise<{ readonly failure?: EntryProblem; readonly broken?: Breakage }> {
  const attributes = unpackAttributes(large.attributes);
  try {
    await inDirectory(context, large.place, async (directory) => {
      const file = await openLarge(directory, large, context);
      try {
        await file.requireUnchanged(attributes);
        await use(file, attributes, Number(attributes.lengthBytes));
      } finally {
        await file.close();
      }
    });
    return {};
  } catch (error) {
    return isClfsError(error, 'entry') ? { failure: problemOf(error, 1) } : { broken: breakageOf(error) };
  }
}
