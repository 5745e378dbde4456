import type { EntryType } from '../../src/format/ids.js';
import type { SourceAttributes } from '../../src/source/source-tree.js';

/** st_mode's type bits by object type. */
const MODE_BITS = [0, 0o100000, 0o040000, 0o060000, 0o020000, 0o120000, 0o140000, 0o010000];
const FIRST_SECOND = 1_600_000_000;
const NOTHING = Buffer.alloc(0);

export const REGULAR = 1;
export const DIRECTORY = 2;
export const CHAR = 4;
export const SYMLINK = 5;
export const SOCKET = 6;
export const FIFO = 7;

/** A time of an inode. */
export interface Stamp {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** An inode as it was from one change to the next. */
export interface Version {
  readonly node: Node;
  /** Number of the change that made it, unique in the tree. */
  readonly tick: number;
  readonly attributes: SourceAttributes;
  /** Bytes of a file, target of a symlink. */
  readonly content: Buffer;
}

/** One inode of a {@link ModelTree}, as long as anything refers to it. */
export class Node {
  inode: number;
  /** Which of the file systems it is on; 0: the root's. */
  fileSystem = 0;
  readonly type: EntryType;
  readonly children = new Map<string, Node>();
  permissions: number;
  uid = 0;
  gid = 0;
  links = 0;
  /** Descriptors by which it is open. */
  opens = 0;
  /** Whether its names are listed and lead to nothing, as those of a mount whose server is away. */
  isLost = false;
  content: Buffer = NOTHING;
  #modified: Stamp = { seconds: FIRST_SECOND, nanoseconds: 1 };
  #born: Stamp | undefined;
  #version: Version | undefined;

  constructor(inode: number, type: EntryType) {
    this.inode = inode;
    this.type = type;
    this.permissions = type === DIRECTORY ? 0o755 : type === SYMLINK ? 0o777 : 0o644;
  }

  get isDirectory(): boolean {
    return this.type === DIRECTORY;
  }

  /** Whether an ordinary user may read it, and search it. */
  get isLocked(): boolean {
    return (this.permissions & 0o400) === 0;
  }

  /** Whether it has never been seen by anybody. */
  get isNew(): boolean {
    return this.#version === undefined;
  }

  get version(): Version {
    if (!this.#version) throw new Error(`The inode ${this.inode} of the model has no version yet.`);
    return this.#version;
  }

  /** Something of it has changed. @param ctime what it gets @param modified whether that was its content */
  changed(tick: number, ctime: Stamp, modified: boolean): void {
    if (modified) this.#modified = ctime;
    this.#born ??= ctime;
    const mtime = this.#modified;
    const device = this.type === CHAR;
    this.#version = {
      node: this,
      tick,
      content: this.content,
      attributes: {
        mode: MODE_BITS[this.type] | this.permissions,
        type: this.type,
        uid: this.uid,
        gid: this.gid,
        linkCount: this.links,
        inode: BigInt(this.inode),
        sizeBytes: BigInt(this.isDirectory ? 4096 : this.content.length),
        mtimeSeconds: mtime.seconds,
        mtimeNanoseconds: mtime.nanoseconds,
        ctimeSeconds: ctime.seconds,
        ctimeNanoseconds: ctime.nanoseconds,
        atimeSeconds: FIRST_SECOND,
        atimeNanoseconds: 7,
        specialMajor: device ? 5 : 0,
        specialMinor: device ? 1 : 0,
        bornNs: this.isDirectory ? BigInt(this.#born.seconds) * 1_000_000_000n + BigInt(this.#born.nanoseconds) : 0n,
        device: '',
      },
    };
  }
}
