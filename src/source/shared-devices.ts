import { joinPath } from '../paths/join-path.js';
import {
  type DirectoryIdentity,
  entryFailure,
  type SourceAttributes,
  type SourceDirectory,
  type SourceTree,
} from './source-tree.js';

/** What a device is called whose number on the other machine is not known: by a path that is on it, in hex. */
const BY_PATH = '@';

/**
 * A view of `source` in which devices have the numbers of another machine that sees the same tree: each machine numbers
 * them by itself.
 *
 * A directory is opened by what that machine knows of it, its inode number, and tells by that which number stands for its
 * device. What is met on a device that is not known yet is called by its path: {@link pathOfDevice}.
 *
 * @param rootDevice number of the root's device on the other machine
 */
export function withDevicesOf(source: SourceTree, rootDevice: string): SourceTree {
  const there = new Map<string, string>();
  const here = new Map<string, string>();
  const bind = (local: string, foreign: string) => {
    there.set(local, foreign);
    here.set(foreign, local);
  };
  const root = source.openDirectory(Buffer.alloc(0));
  bind(root.attributes().device, rootDevice);
  root.close();
  const translated = (attributes: SourceAttributes, path: () => Buffer): SourceAttributes => ({
    ...attributes,
    device: there.get(attributes.device) ?? `${BY_PATH}${path().toString('hex')}`,
  });
  return {
    ...source,
    openDirectory(path: Buffer, expected?: DirectoryIdentity): SourceDirectory {
      const foreign = expected?.device;
      const known = foreign === undefined ? undefined : here.get(foreign);
      const directory = source.openDirectory(path, expected && { ...expected, device: known });
      if (foreign !== undefined && known === undefined) {
        const local = directory.attributes().device;
        if (there.has(local)) {
          directory.close();
          throw entryFailure('directory-changed', 'it is on another file system here than on the machine of the job');
        }
        bind(local, foreign);
      }
      return {
        list: () => directory.list(),
        attributes: () => translated(directory.attributes(), () => path),
        attributesOf: (name) => translated(directory.attributesOf(name), () => joinPath(path, name)),
        readLink: (name) => directory.readLink(name),
        openFile: (name) => directory.openFile(name),
        unstorableOf: (name) => directory.unstorableOf?.(name),
        close: () => directory.close(),
      };
    },
  };
}

/** The path by which a device is called that has no number yet; undefined: it has one. */
export function pathOfDevice(device: string): Buffer | undefined {
  return device.startsWith(BY_PATH) ? Buffer.from(device.slice(BY_PATH.length), 'hex') : undefined;
}
