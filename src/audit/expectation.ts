import type { EntryType } from '../format/ids.js';

/** What an entry of a container should be. */
export interface ExpectedEntry {
  readonly name: Buffer;
  readonly type: EntryType;
  /** Permission bits, without the type. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  /** Of regular files. */
  readonly sizeBytes: bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Nanoseconds since 1970, moved into the range of the format. */
  readonly mtimeNs: bigint;
  /** Tells which names are links of one file; undefined for a file with one link. */
  readonly linkKey: string | undefined;
  /** Of symlinks. */
  readonly target: Buffer | undefined;
}

/** Bytes that a regular file should have. */
export type ExpectedContent =
  | {
      readonly kind: 'bytes';
      /** Reads until so many bytes are there, or `target` is full, or the file ends. */
      read(target: Buffer, position: number, enoughBytes: number): number | Promise<number>;
      close(): void;
    }
  | { readonly kind: 'sha256'; readonly hex: string }
  /** The expectation does not tell. */
  | { readonly kind: 'unknown' };

/** A directory of what a container should hold. */
export interface ExpectedDirectory {
  /** The directory itself. */
  readonly self: ExpectedEntry;
  /** @throws ClfsError `entry` when it cannot be listed */
  names(): Iterable<Buffer> | AsyncIterable<Buffer>;
  /** @throws ClfsError `entry` when it cannot be examined */
  entry(name: Buffer): ExpectedEntry | Promise<ExpectedEntry>;
  /** @throws ClfsError `entry` when it cannot be opened; `open-files` */
  content(name: Buffer): ExpectedContent | Promise<ExpectedContent>;
  close(): void;
}

/** What a container should hold: a source tree, or a manifest of one. */
export interface Expectation {
  /** Whether what it expects is plain data at hand, to be handed to lanes; else each lane opens it for itself. */
  readonly isPlain: boolean;
  /** @param path below the root, joined by `/` @throws ClfsError `entry` when it cannot be opened; `open-files` */
  directory(path: Buffer): ExpectedDirectory | Promise<ExpectedDirectory>;
  close(): void;
}

const LATEST_NS = 0xffffffffn * 1_000_000_000n;

/** A time moved to the nearest one that the format has, as a loader does. */
export function clampNs(ns: bigint): bigint {
  if (ns < 0n) return 0n;
  return ns >= LATEST_NS + 1_000_000_000n ? LATEST_NS : ns;
}
