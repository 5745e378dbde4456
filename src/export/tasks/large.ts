import { errorOf } from '../../engine/breakage.js';
import type { PartSink } from '../../engine/kinds.js';
import { REPORT_MS } from '../../engine/report.js';
import { isClfsError } from '../../error.js';
import type { Attributes } from '../../format/attributes.js';
import { fileBlockCount } from '../../format/geometry.js';
import { fileSize, requireSegments } from '../../namespace/content.js';
import { joinPath } from '../../paths/join-path.js';
import { Open } from '../../posix/libc.js';
import { PosixError } from '../../posix/posix-error.js';
import { giveAttributesFd } from '../target/give-attributes.js';
import { InTheWay } from '../target/target-tree.js';
import { type ExportContext, largeInode } from './context.js';
import { writeContent } from './create-entry.js';
import type {
  BeginLargeResult,
  BeginLargeTask,
  EndLargeResult,
  EndLargeTask,
  LargeFile,
  RangePart,
  RangeResult,
  RangeTask,
} from './kinds.js';
import { ChangedByHand, exportBreakage, problemOf, stopped } from './problem.js';
import { fateOf, isWhole, nameNew } from './write-entry.js';

const CREATE_FLAGS = Open.writeOnly | Open.create | Open.exclusive | Open.noFollow;
const WRITE_FLAGS = Open.writeOnly | Open.noFollow | Open.nonBlock;
const PRIVATE_FILE = 0o600;

/** Makes the temporary file of a large file, or finds that it is there. */
export async function beginLarge({ file, inode }: BeginLargeTask, context: ExportContext): Promise<BeginLargeResult> {
  const { reader, target } = context;
  const { calls } = target;
  try {
    await requireSegments(reader, await largeInode(context, file.handle));
    return await inPlace(context, file, async (at) => {
      const there = await target.look(at, file.temporary);
      if (inode !== undefined) return there?.inode === inode ? { outcome: 'begun', inode } : { outcome: 'gone' };
      // Its name is ours alone: what has it is of a session that died before it was recorded, or was changed by hand.
      if (there) await target.removeTemporary(at, file.temporary);
      const fd = await calls.openAt(at, file.temporary, CREATE_FLAGS, PRIVATE_FILE);
      try {
        return { outcome: 'begun', inode: (await calls.statFd(fd)).inode };
      } finally {
        await calls.close(fd);
      }
    });
  } catch (error) {
    return { outcome: 'failed', problem: problemOf(shown(file), error) };
  }
}

/** Writes blocks of a large file; tells at times how far it has come. */
export async function writeRange(
  { file, inode, first, end }: RangeTask,
  context: ExportContext,
  tell: PartSink<RangePart>,
): Promise<RangeResult> {
  const { reader, target, clock, contentBudget, stop } = context;
  const { calls } = target;
  const { fileSegmentBytes } = reader.geometry;
  let reached = first;
  let told = { end: first, ms: clock.monotonic() };
  const result = async (ended?: unknown): Promise<RangeResult> => {
    let problem: RangeResult['problem'];
    let broken: RangeResult['broken'];
    try {
      if (ended !== undefined) problem = problemOf(shown(file), ended);
    } catch (ofAll) {
      broken = exportBreakage(ofAll);
    }
    try {
      // What a write, or the closing, is refused for may have hit whatever was written since the last report, also where the
      // target does not answer any more: a sync, which then succeeds, need not tell of it.
      const isRefused = ended instanceof PosixError || isClfsError(ended, 'target');
      if (!isRefused) {
        await target.flush();
        return { end: reached, problem, broken };
      }
    } catch (error) {
      broken ??= exportBreakage(error);
    }
    return { end: told.end, problem, broken };
  };
  try {
    const found = await largeInode(context, file.handle);
    await inPlace(context, file, async (at) => {
      const giveBack = await contentBudget.take((end - first) * fileSegmentBytes);
      let fd: number | undefined;
      try {
        fd = await openWritten(context, at, file, inode);
        const begin = blockStart(context, first);
        const size = fileSize(found);
        await writeContent(context, fd, found, begin, blockStart(context, end) - begin, async (offset) => {
          // The last block is as long as the file needs it to be.
          reached = offset === size ? fileBlockCount(size, reader.geometry) : fileBlockCount(offset, reader.geometry);
          if (stop.asked) throw stopped();
          if (clock.monotonic() - told.ms < REPORT_MS || reached === told.end) return;
          await target.flush();
          tell({ end: reached });
          told = { end: reached, ms: clock.monotonic() };
        });
      } finally {
        giveBack();
        if (fd !== undefined) await calls.closeWritten(fd);
      }
    });
  } catch (error) {
    return await result(error);
  }
  return await result();
}

/** Gives a large file its length, attributes and name; or gives it up. */
export async function endLarge({ file, inode, giveUp }: EndLargeTask, context: ExportContext): Promise<EndLargeResult> {
  const { target, constants } = context;
  const { calls } = target;
  const { name } = file;
  if (giveUp) return removeTemporary(file, context);
  try {
    const found = await largeInode(context, file.handle);
    const { attributes } = found.inode;
    return await inPlace(context, file, async (at): Promise<EndLargeResult> => {
      if (name !== undefined && (await isNamed(context, at, file, { name, inode, attributes })))
        return { outcome: 'written' };
      const fd = await openWritten(context, at, file, inode);
      let open = true;
      try {
        await calls.truncate(fd, fileSize(found));
        await giveAttributesFd(calls, fd, attributes);
        open = false;
        await calls.closeWritten(fd);
      } finally {
        if (open) await calls.close(fd);
      }
      await target.flush();
      if (name === undefined) return { outcome: 'written' };
      const there = await target.look(at, name);
      let outcome: 'written' | 'replaced' | 'left';
      if ((await fateOf(constants, there, found, () => calls.readLink(at, name))) === 'stays') {
        await target.remove(at, file.temporary);
        outcome = 'left';
      } else if (constants.overwrite === 'never')
        outcome = (await nameNew(context, at, file.temporary, name)) ? 'written' : 'left';
      else {
        await calls.renameAt(at, file.temporary, at, name);
        outcome = there ? 'replaced' : 'written';
      }
      await target.flush();
      return { outcome };
    });
  } catch (error) {
    return { outcome: problemOf(shown(file), error) };
  }
}

/** Whether a try that was not heard of to its end has given the file its name. @throws PosixError */
async function isNamed(
  { target, constants }: ExportContext,
  at: number,
  { temporary }: LargeFile,
  {
    name,
    inode,
    attributes,
  }: { readonly name: Uint8Array; readonly inode: bigint | undefined; readonly attributes: Attributes },
): Promise<boolean> {
  if (!constants.isShared || (await target.look(at, temporary))) return false;
  const there = await target.look(at, name);
  if (there === undefined || there.inode !== inode || !isWhole(there, attributes, constants.kept)) return false;
  await target.flush();
  return true;
}

/** @throws ClfsError `target` when it cannot be removed for good: it would be left for ever */
async function removeTemporary(file: LargeFile, context: ExportContext): Promise<EndLargeResult> {
  try {
    await inPlace(context, file, (at) => context.target.removeTemporary(at, file.temporary));
  } catch (error) {
    // Where its directory was somebody has put something else: it is gone.
    if (!(error instanceof InTheWay)) throw errorOf(exportBreakage(error));
  }
  await context.target.flush();
  return { outcome: 'gone' };
}

/** Offset at which a block begins. */
function blockStart({ reader }: ExportContext, block: number): number {
  const { firstSegmentBytes, fileSegmentBytes } = reader.geometry;
  return block === 0 ? 0 : firstSegmentBytes + (block - 1) * fileSegmentBytes;
}

/** Opens the temporary file. @throws ChangedByHand when it is not there any more, or is another file; PosixError */
async function openWritten(
  { target }: ExportContext,
  at: number,
  file: LargeFile,
  inode: bigint | undefined,
): Promise<number> {
  const { temporary } = file;
  const there = await target.look(at, temporary);
  if (there?.inode !== inode) throw new ChangedByHand();
  const fd = await target.calls.openAt(at, temporary, WRITE_FLAGS);
  try {
    const { inode: opened } = await target.calls.statFd(fd);
    if (opened === inode) return fd;
  } catch (error) {
    await target.calls.close(fd);
    throw error;
  }
  await target.calls.close(fd);
  throw new ChangedByHand();
}

async function inPlace<T>(
  { target, directories }: ExportContext,
  file: LargeFile,
  use: (at: number) => T | Promise<T>,
): Promise<T> {
  const giveBack = await directories.take();
  try {
    const at = await target.enter(file);
    try {
      return await use(at);
    } finally {
      await target.calls.close(at);
    }
  } finally {
    giveBack();
  }
}

function shown({ path, name, temporary }: LargeFile): Buffer {
  return joinPath(path, name ?? temporary);
}
