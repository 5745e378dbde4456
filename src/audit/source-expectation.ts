import { ObjectType } from '../format/ids.js';
import type { SourceAttributes, SourceTree } from '../source/source-tree.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

/** Expects of a container what a source tree holds. */
export function expectSource(source: SourceTree): Expectation {
  return {
    directory(path) {
      const directory = source.openDirectory(path);
      const self = toExpected(lastComponent(path), directory.attributes(), undefined);
      return {
        self,
        *names() {
          for (const batch of directory.list()) for (const { name, excluded } of batch) if (!excluded) yield name;
        },
        entry(name) {
          const attributes = directory.attributesOf(name);
          return toExpected(name, attributes, attributes.type === ObjectType.symlink ? directory.readLink(name) : undefined);
        },
        content(name) {
          const file = directory.openFile(name);
          return { kind: 'bytes', read: (target, position) => file.read(target, position), close: () => file.close() };
        },
        close: () => directory.close(),
      };
    },
    close: () => source.close(),
  };
}

function toExpected(name: Buffer, a: SourceAttributes, target: Buffer | undefined): ExpectedEntry {
  const device = a.type === ObjectType.block || a.type === ObjectType.char;
  return {
    name,
    type: a.type,
    permissions: a.mode & 0o7777,
    uid: a.uid,
    gid: a.gid,
    sizeBytes: a.sizeBytes,
    deviceMajor: device ? a.specialMajor : 0,
    deviceMinor: device ? a.specialMinor : 0,
    mtimeNs: clampNs(BigInt(a.mtimeSeconds) * 1_000_000_000n + BigInt(a.mtimeNanoseconds)),
    linkKey: a.linkCount > 1 && a.type !== ObjectType.directory ? `${a.device}/${a.inode}` : undefined,
    target,
  };
}

function lastComponent(path: Buffer): Buffer {
  return path.subarray(path.lastIndexOf(0x2f) + 1);
}
