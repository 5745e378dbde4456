import type { RawEntry } from '../../posix/libc.js';
import type { ExportContext } from './context.js';
import type { SweepResult, SweepTask } from './kinds.js';
import { exportBreakage } from './problem.js';

const BUFFER_BYTES = 65536;

/** Removes the temporary files of the job from a directory: nothing of it is under way. */
export async function sweepDirectory(task: SweepTask, context: ExportContext): Promise<SweepResult> {
  const { target, constants, reader } = context;
  const prefix = Buffer.from(constants.temporaryPrefix);
  const giveBack = await context.directories.take();
  try {
    // Where it is gone, or something else is in its place, there is nothing of ours.
    const at = await target.enterIfThere(task.path);
    if (at === undefined) return { broken: undefined };
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
    return { broken: exportBreakage(error) };
  } finally {
    giveBack();
  }
}
