import { isClfsError, messageOf } from '../../error.js';
import { idHex } from '../../format/ids.js';
import { sideBySide } from '../../namespace/side-by-side.js';
import type { AuditContext } from './context.js';
import type { SegmentsResult, SegmentsTask } from './kinds.js';

/** Segments of one task that are read at once. */
const READ_AT_ONCE = 4;

/** Reads segments of a regular file, and says what is wrong with each. Source: docs/format.md 6.3 */
export async function checkSegments(task: SegmentsTask, context: AuditContext): Promise<SegmentsResult> {
  const findings: SegmentsResult['findings'][number][] = [];
  const { reader, contentBudget } = context;
  await sideBySide(task.blocks, READ_AT_ONCE, async (reference) => {
    const giveBack = await contentBudget.take(reader.geometry.fileSegmentBytes);
    try {
      await checkSegment(task, reference, context, findings);
    } finally {
      giveBack();
    }
    await reader.pause();
  });
  return { findings };
}

async function checkSegment(
  { owner, sizeBytes, ctimeSeconds }: SegmentsTask,
  { block, id: bytes }: SegmentsTask['blocks'][number],
  { reader }: AuditContext,
  findings: SegmentsResult['findings'][number][],
): Promise<void> {
  const id = Buffer.from(bytes);
  const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
  const error = (code: string, message: string, object?: string) =>
    findings.push({ severity: 'error', code, object, message });
  let found: Awaited<ReturnType<typeof reader.segment>>;
  try {
    found = await reader.segment(id, Buffer.from(owner));
  } catch (problem) {
    if (!isClfsError(problem, 'format', 'not-found')) throw problem;
    const object = (await reader.finder.find(id))?.name ?? idHex(id);
    error(problem.code === 'not-found' ? 'missing-object' : 'damaged-object', messageOf(problem), object);
    return;
  }
  const { segment, storedBytes } = found;
  const start = firstSegmentBytes + (block - 1) * fileSegmentBytes;
  if (segment.kind !== 'file') {
    error('segment-kind', `Block ${block} (${idHex(id)}) of a file is a segment of a directory.`);
    return;
  }
  reader.countRead(storedBytes, segment.data.length);
  const wanted = Math.min(fileSegmentBytes, sizeBytes - start);
  if (segment.data.length !== wanted)
    error('segment-length', `Block ${block} has ${segment.data.length} bytes in place of ${wanted}.`);
  if (segment.owner.offset !== BigInt(start))
    error('segment-offset', `Block ${block} says that it begins at ${segment.owner.offset}, not at ${start}.`);
  if (segment.owner.ctimeSeconds !== ctimeSeconds) {
    const message = `Block ${block} has another ctime than its inode.`;
    findings.push({ severity: 'warning', code: 'segment-ctime', object: idHex(id), message });
  }
}
