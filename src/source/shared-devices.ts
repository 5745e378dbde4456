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

/** The number that the device of an open directory has here, and the one that it has on the other machine. */
interface OwnDevice {
  readonly here: string;
  readonly there: string;
}

/**
 * A view of `source` in which devices have the numbers of another machine that sees the same tree: each machine numbers
 * them by itself.
 *
 * A directory is opened by what that machine knows of it, its inode number and its device: so the device that it is on
 * here is that one, as long as it is open. Not for longer: a file system that is mounted when it is wanted gets another
 * number each time, and its former one is another's. What is met on another device than that, or that of the root, is
 * called by its path: {@link pathOfDevice}.
 *
 * @param rootDevice number of the root's device on the other machine
 */
export function withDevicesOf(source: SourceTree, rootDevice: string): SourceTree {
  const root = source.openDirectory(Buffer.alloc(0));
  const rootHere = root.attributes().device;
  root.close();
  const translated = (
    attributes: SourceAttributes,
    own: OwnDevice | undefined,
    path: () => Buffer,
  ): SourceAttributes => {
    const { device } = attributes;
    if (device === rootHere) return { ...attributes, device: rootDevice };
    return { ...attributes, device: device === own?.here ? own.there : `${BY_PATH}${path().toString('hex')}` };
  };
  const ofHere = (expected: DirectoryIdentity | undefined): DirectoryIdentity | undefined =>
    expected && { ...expected, device: expected.device === rootDevice ? rootHere : undefined };
  const isElsewhere = (expected: DirectoryIdentity | undefined): expected is DirectoryIdentity & { device: string } =>
    expected?.device !== undefined && expected.device !== rootDevice;
  /** @throws ClfsError `entry` */
  const ownDevice = (there: string, { device: here }: SourceAttributes): OwnDevice => {
    if (here === rootHere)
      throw entryFailure('directory-changed', 'it is on another file system here than on the machine of the job');
    return { here, there };
  };
  const asyncView = (async: AsyncSourceDirectory, own: OwnDevice | undefined, path: Buffer): AsyncSourceDirectory => ({
    list: () => async.list(),
    attributes: async (fresh) => translated(await async.attributes(fresh), own, () => path),
    attributesOf: async (name) => translated(await async.attributesOf(name), own, () => joinPath(path, name)),
    readLink: (name) => async.readLink(name),
    openFile: (name) => async.openFile(name),
    unstorableOf: async (name) => async.unstorableOf?.(name),
  });
  const view = (directory: SourceDirectory, own: OwnDevice | undefined, path: Buffer): SourceDirectory => ({
    list: () => directory.list(),
    attributes: (fresh) => translated(directory.attributes(fresh), own, () => path),
    attributesOf: (name) => translated(directory.attributesOf(name), own, () => joinPath(path, name)),
    readLink: (name) => directory.readLink(name),
    openFile: (name) => directory.openFile(name),
    unstorableOf: (name) => directory.unstorableOf?.(name),
    get async() {
      return directory.async && asyncView(directory.async, own, path);
    },
    close: () => directory.close(),
  });
  const { async } = source;
  return {
    ...source,
    openDirectory(path, expected) {
      const directory = source.openDirectory(path, ofHere(expected));
      try {
        const own = isElsewhere(expected) ? ownDevice(expected.device, directory.attributes()) : undefined;
        return view(directory, own, path);
      } catch (error) {
        directory.close();
        throw error;
      }
    },
    async: async && {
      async openDirectory(path, expected) {
        const directory = await async.openDirectory(path, ofHere(expected));
        try {
          const own = isElsewhere(expected)
            ? ownDevice(expected.device, await (directory.async?.attributes() ?? directory.attributes()))
            : undefined;
          return view(directory, own, path);
        } catch (error) {
          directory.close();
          throw error;
        }
      },
    },
  };
}

/** The path by which a device is called whose number is not known; undefined: it has one. */
export function pathOfDevice(device: string): Buffer | undefined {
  return device.startsWith(BY_PATH) ? Buffer.from(device.slice(BY_PATH.length), 'hex') : undefined;
}
