import { joinPath } from '../paths/join-path.js';
import {
  type AsyncSourceDirectory,
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
  const ofHere = (expected: DirectoryIdentity | undefined): DirectoryIdentity | undefined =>
    expected && { ...expected, device: expected.device === undefined ? undefined : here.get(expected.device) };
  /** The number of a device that is not known yet. */
  const unknown = (expected: DirectoryIdentity | undefined): string | undefined =>
    expected?.device === undefined || here.has(expected.device) ? undefined : expected.device;
  /** Binds the device of a directory that was opened by its inode number. @throws ClfsError `entry` */
  const learn = (foreign: string, local: string) => {
    if (there.has(local))
      throw entryFailure('directory-changed', 'it is on another file system here than on the machine of the job');
    bind(local, foreign);
  };
  const asyncView = (async: AsyncSourceDirectory, path: Buffer): AsyncSourceDirectory => ({
    list: () => async.list(),
    attributes: async (fresh) => translated(await async.attributes(fresh), () => path),
    attributesOf: async (name) => translated(await async.attributesOf(name), () => joinPath(path, name)),
    readLink: (name) => async.readLink(name),
    openFile: (name) => async.openFile(name),
    unstorableOf: async (name) => async.unstorableOf?.(name),
  });
  const view = (directory: SourceDirectory, path: Buffer): SourceDirectory => ({
    list: () => directory.list(),
    attributes: (fresh) => translated(directory.attributes(fresh), () => path),
    attributesOf: (name) => translated(directory.attributesOf(name), () => joinPath(path, name)),
    readLink: (name) => directory.readLink(name),
    openFile: (name) => directory.openFile(name),
    unstorableOf: (name) => directory.unstorableOf?.(name),
    get async() {
      return directory.async && asyncView(directory.async, path);
    },
    close: () => directory.close(),
  });
  const { async } = source;
  return {
    ...source,
    openDirectory(path, expected) {
      const foreign = unknown(expected);
      const directory = source.openDirectory(path, ofHere(expected));
      try {
        if (foreign !== undefined) learn(foreign, directory.attributes().device);
      } catch (error) {
        directory.close();
        throw error;
      }
      return view(directory, path);
    },
    async: async && {
      async openDirectory(path, expected) {
        const foreign = unknown(expected);
        const directory = await async.openDirectory(path, ofHere(expected));
        try {
          if (foreign !== undefined) {
            const { device } = await (directory.async?.attributes() ?? directory.attributes());
            // Another opening may have learnt it meanwhile.
            if (here.get(foreign) !== device) learn(foreign, device);
          }
        } catch (error) {
          directory.close();
          throw error;
        }
        return view(directory, path);
      },
    },
  };
}

/** The path by which a device is called that has no number yet; undefined: it has one. */
export function pathOfDevice(device: string): Buffer | undefined {
  return device.startsWith(BY_PATH) ? Buffer.from(device.slice(BY_PATH.length), 'hex') : undefined;
}
