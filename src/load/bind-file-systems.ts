import { isClfsError } from '../error.js';
import type { JobContext } from './job-context.js';
import { lookAtSource, type SourceTools } from './look-at-source.js';
import { proveSource } from './source-proof.js';

/**
 * Device numbers change at a reboot or remount: each recorded file system is looked up anew, where it is mounted.
 *
 * @param rootDevice that of the source's root now
 * @throws ClfsError `cancelled`
 */
export async function bindFileSystems(context: JobContext, tools: SourceTools, rootDevice: string): Promise<void> {
  const { state } = context;
  state.bindFileSystem(0, rootDevice);
  const isProven = proveSource(context);
  const bound = new Set([0]);
  const unproven = new Set<number>();
  for (const { fileSystem, directory } of state.mountPoints()) {
    if (bound.has(fileSystem)) continue;
    const { path, place } = context.directory(directory);
    if (!isProven(path)) {
      unproven.add(fileSystem);
      continue;
    }
    try {
      const expected = { ...place, device: undefined };
      const { device } = await (context.held?.look(fileSystem, path, expected) ?? lookAtSource(tools, path, expected));
      state.bindFileSystem(fileSystem, device);
      bound.add(fileSystem);
    } catch (error) {
      if (!isClfsError(error, 'entry')) throw error;
      if (error.reason === 'directory-changed') unproven.add(fileSystem);
    }
  }
  // On no device at all: what is at its paths is something else.
  for (const fileSystem of unproven)
    if (!bound.has(fileSystem)) state.bindFileSystem(fileSystem, `not mounted ${fileSystem}`);
  context.forgetDirectories();
}
