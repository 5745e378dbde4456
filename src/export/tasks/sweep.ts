import type { RawEntry } from '../../posix/libc.js';
import { InTheWay } from '../target/target-tree.js';
import type { ExportContext } from './context.js';
import type { SweepResult, SweepTask } from './kinds.js';
import { exportBreakage } from './problem.js';

const BUFFER_BYTES = 65536;

/** Removes the temporary files of the job from a directory: nothing of it is under way. */
export async function sweepDirectory({ path }: SweepTask, context: ExportContext): Promise<SweepResult> {
  const { target, constants, reader } = context;
  const prefix = Buffer.from(constants.temporaryPrefix);
  const giveBack = await context.directories.take();
  try {
    const at = await target.enter(path);
    try {
      const buffer = Buffer.alloc(BUFFER_BYTES);
      const ours: RawEntry[] = [];
      const list = async () => target.calls.readEntries(at, buffer);
      for (let found = await list(); found.length > 0; found = await list()) {
        ours.push(...found.filter(({ name }) => name.subarray(0, prefix.length).equals(prefix)));
        await reader.pause();
      }
      for (const { name } of ours) await target.removeTemporary(at, name);
    } finally {
      await target.calls.close(at);
    }
    await target.flush();
    return { broken: undefined };
  } catch (error) {
    // Where the directory was somebody has put something else: nothing of ours is there.
    return { broken: error instanceof InTheWay ? undefined : exportBreakage(error) };
  } finally {
    giveBack();
  }
}
