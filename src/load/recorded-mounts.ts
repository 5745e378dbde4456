import { isClfsError } from '../error.js';
import { type SourcePlace, withMounts } from '../source/source-place.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { JobContext } from './job-context.js';
import { lookAtSource, type SourceTools } from './source-proof.js';

/**
 * The recorded place of the source, with the file systems that have been mounted since.
 *
 * A file system that is mounted over a directory which is recorded already is no part of what is loaded: what was
 * loaded is below it.
 */
export async function placeWithMounts(context: JobContext, tools: SourceTools): Promise<SourcePlace | undefined> {
  const now = context.sourcePlace();
  const known = new Map<string, boolean>();
  for (const path of Object.keys(now?.mounts ?? {}))
    known.set(path, await isOfTheSource(context, tools, Buffer.from(path, 'hex')));
  return withMounts(context.state.record.sourcePlace, now, (path) => known.get(path.toString('hex')) === true);
}

/** Whether nothing is recorded of what is at the path of a mount, or that is what is mounted. */
async function isOfTheSource(context: JobContext, tools: SourceTools, path: Buffer): Promise<boolean> {
  const { directories, failures } = context.state;
  const names = path.toString('latin1').split('/');
  let at = ROOT_DIRECTORY;
  for (const [depth, text] of names.entries()) {
    const name = Buffer.from(text, 'latin1');
    const child = directories.child(at, name);
    if (child === undefined) return depth < names.length - 1 || !failures.has(at, name);
    at = child;
  }
  try {
    const { place } = context.directory(at);
    await lookAtSource(tools, path, { ...place, device: undefined });
    return true;
  } catch (error) {
    if (!isClfsError(error, 'entry')) throw error;
    return false;
  }
}
