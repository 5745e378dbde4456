import { createHash } from 'node:crypto';
import { isClfsError, messageOf } from '../error.js';
import { isDot, isDotDot } from '../format/dirents.js';
import { bytesEqual, ENTRY_TYPE_NAMES, idHex, ObjectType, ROOT_ID } from '../format/ids.js';
import { MOST_LINKS } from '../format/limits.js';
import { fileSize, readContent } from '../namespace/content.js';
import { PendingDirectories, type PendingDirectory } from '../namespace/pending-directories.js';
import type { ContainerReader, FoundInode } from '../namespace/reader.js';
import { sideBySide } from '../namespace/side-by-side.js';
import { joinPath } from '../paths/join-path.js';
import { SpilledMap } from '../spill/spilled-map.js';
import type { Expectation, ExpectedContent, ExpectedDirectory, ExpectedEntry } from './expectation.js';

/** How an entry came out: the same, only expected, only in the container, different, or not checked. */
type VerifyMark = '=' | '+' | '-' | '*' | '!';

/** One line of the report. */
export interface VerifyLine {
  readonly mark: VerifyMark;
  /** Below the root; empty for the root. */
  readonly path: Buffer;
  /** What differs, or why it could not be checked. */
  readonly details: readonly string[];
}

/** What is compared. */
export interface VerifyOptions {
  /** Compare every byte of regular files. */
  readonly content: boolean;
  /** Share of the regular files whose bytes are compared, 0 … 1, chosen by their paths; with `content`. */
  readonly sample: number;
  /** Nanoseconds that modification times may differ by. */
  readonly timeToleranceNs: bigint;
  readonly signal?: AbortSignal;
  readonly onProgress?: (entries: number, bytes: number) => void;
  /**
   * Called for every entry: what was told so far can be written, so that it need not be kept. What it returns is waited
   * for.
   */
  readonly drain?: () => Promise<void> | undefined;
}

/** How a comparison came out. */
export interface VerifySummary {
  readonly same: number;
  readonly missing: number;
  readonly extra: number;
  readonly different: number;
  readonly unchecked: number;
  /** Regular files whose bytes were compared. */
  readonly contents: number;
  readonly bytes: number;
  /** Whether every difference is one of times below a microsecond: the reference loader's rounding. */
  readonly onlyRounding: boolean;
}

const COMPARED_AT_ONCE = 48;
const ROUNDING_NS = 1000n;

/**
 * Compares a container with what it should hold.
 *
 * Never compared: access and change times, inode numbers, the size of directories. Links are compared where the
 * container has preserved them.
 *
 * @throws ClfsError `open-files` when there was no descriptor left, for long; whatever the container throws beside
 * `format` and `not-found`
 */
export async function verify(
  expectation: Expectation,
  reader: ContainerReader,
  options: VerifyOptions,
  sink: (line: VerifyLine) => void,
): Promise<VerifySummary> {
  const comparison = new Comparison(expectation, reader, options, sink);
  try {
    await comparison.run();
    return comparison.summary();
  } finally {
    comparison.close();
  }
}

class Comparison {
  readonly #expectation: Expectation;
  readonly #reader: ContainerReader;
  readonly #options: VerifyOptions;
  readonly #sink: (line: VerifyLine) => void;
  readonly #counts = { '=': 0, '+': 0, '-': 0, '*': 0, '!': 0 };
  #contents = 0;
  #bytes = 0;
  #onlyRounding = true;
  /** Of files with several links, the id of the inode by what tells the links of one file, and the other way round. */
  readonly #inodeOfKey = new SpilledMap();
  readonly #keyOfInode = new SpilledMap();
  readonly #pending: PendingDirectories;

  constructor(
    expectation: Expectation,
    reader: ContainerReader,
    options: VerifyOptions,
    sink: (line: VerifyLine) => void,
  ) {
    this.#expectation = expectation;
    this.#reader = reader;
    this.#options = options;
    this.#sink = sink;
    this.#pending = new PendingDirectories(reader);
  }

  async run(): Promise<void> {
    this.#pending.push(Buffer.alloc(0), await this.#reader.inode(ROOT_ID));
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) {
      const handles = new SpilledMap();
      try {
        await this.#directory(next, handles);
      } finally {
        handles.close();
      }
    }
  }

  close(): void {
    for (const each of [this.#inodeOfKey, this.#keyOfInode, this.#pending]) each.close();
  }

  summary(): VerifySummary {
    const c = this.#counts;
    const differences = c['+'] + c['-'] + c['*'];
    return {
      same: c['='],
      missing: c['+'],
      extra: c['-'],
      different: c['*'],
      unchecked: c['!'],
      contents: this.#contents,
      bytes: this.#bytes,
      onlyRounding: differences > 0 && this.#onlyRounding,
    };
  }

  /** @param handles takes the ids of its entries by their names */
  async #directory({ path, read }: PendingDirectory, handles: SpilledMap): Promise<void> {
    let expected: ExpectedDirectory;
    let found: FoundInode;
    try {
      found = await read();
      for await (const piece of this.#reader.entries(found)) {
        for (const { name, handle } of piece)
          if (!isDot(name) && !isDotDot(name)) handles.set(name, Buffer.from(handle));
      }
      expected = await this.#expectation.directory(path);
    } catch (error) {
      this.#unchecked(path, error);
      return;
    }
    try {
      this.#judge(path, this.#compareAttributes(expected.self, found));
      // The directory is closed when no entry of it is under way any more.
      await sideBySide(expected.names(), COMPARED_AT_ONCE, async (name) => {
        const turn = this.#pause();
        if (turn) await turn;
        const handle = handles.get(name);
        handles.delete(name);
        const entryPath = joinPath(path, name);
        if (!handle) this.#say('+', entryPath, []);
        else await this.#entry(expected, name, handle, entryPath);
      });
      for (const [name] of handles.entries()) {
        await this.#pause();
        this.#say('-', joinPath(path, name), []);
      }
    } catch (error) {
      this.#unchecked(path, error);
    } finally {
      expected.close();
    }
  }

  async #entry(directory: ExpectedDirectory, name: Buffer, handle: Uint8Array, path: Buffer): Promise<void> {
    try {
      const expected = directory.entry(name);
      const found = await this.#reader.inode(handle);
      if (expected.type === ObjectType.directory && found.inode.attributes.type === ObjectType.directory) {
        this.#pending.push(path, found);
        return;
      }
      const differences = this.#compareAttributes(expected, found);
      this.#compareLinks(expected, found, differences);
      if (differences.length === 0 && expected.type === ObjectType.regular && this.#isSampled(path)) {
        const difference = await this.#compareContent(await directory.content(name), found);
        if (difference === UNKNOWN) {
          this.#say('!', path, ['its content is not in the manifest']);
          return;
        }
        if (difference !== undefined) differences.push(difference);
      }
      this.#judge(path, differences);
    } catch (error) {
      this.#unchecked(path, error);
    }
  }

  #pause(): Promise<void> | undefined {
    this.#options.signal?.throwIfAborted();
    return this.#options.drain?.() ?? this.#reader.pause();
  }

  #compareAttributes(expected: ExpectedEntry, found: FoundInode): string[] {
    const a = found.inode.attributes;
    const differences: string[] = [];
    const compare = (what: string, should: string | number | bigint, is: string | number | bigint) => {
      if (should !== is) differences.push(`${what} ${is} in place of ${should}`);
    };
    compare('type', ENTRY_TYPE_NAMES[expected.type], ENTRY_TYPE_NAMES[a.type]);
    if (differences.length > 0) return this.#noRounding(differences);
    compare('mode', expected.permissions.toString(8), (a.mode & 0o7777).toString(8));
    compare('uid', expected.uid, a.uid);
    compare('gid', expected.gid, a.gid);
    if (expected.type === ObjectType.regular) compare('size', expected.sizeBytes, a.lengthBytes);
    compare('device', `${expected.deviceMajor}:${expected.deviceMinor}`, `${a.deviceMajor}:${a.deviceMinor}`);
    if (expected.target && !(found.inode.data ?? Buffer.alloc(0)).equals(expected.target))
      differences.push('another link target');
    if (differences.length > 0) this.#noRounding(differences);
    const mtimeNs = BigInt(a.mtime.seconds) * 1_000_000_000n + BigInt(a.mtime.nanoseconds);
    const distance = mtimeNs > expected.mtimeNs ? mtimeNs - expected.mtimeNs : expected.mtimeNs - mtimeNs;
    if (distance > this.#options.timeToleranceNs) {
      differences.push(`mtime ${formatNs(mtimeNs)} in place of ${formatNs(expected.mtimeNs)}`);
      if (distance >= ROUNDING_NS) this.#onlyRounding = false;
    }
    return differences;
  }

  #noRounding(differences: string[]): string[] {
    this.#onlyRounding = false;
    return differences;
  }

  /** Links of one file are one inode where the container has preserved links; an inode with links is one file. */
  #compareLinks(expected: ExpectedEntry, found: FoundInode, differences: string[]): void {
    const { id } = found;
    if (found.inode.attributes.linkCount > 1) {
      const key = Buffer.from(expected.linkKey ?? `single ${idHex(id)}`);
      const known = this.#keyOfInode.get(id);
      if (known !== undefined && !key.equals(known))
        this.#noRounding(differences).push('linked with what is another file in the source');
      else if (expected.linkKey === undefined)
        this.#noRounding(differences).push('linked, with a file that has one link in the source');
      this.#keyOfInode.set(id, key);
      if (expected.linkKey === undefined) return;
      const other = this.#inodeOfKey.get(key);
      // An inode that is full gives way to copies: then the links are spread over several.
      if (other !== undefined && !bytesEqual(other, id) && found.inode.attributes.linkCount < MOST_LINKS)
        this.#noRounding(differences).push('not linked with another name of the same file');
      else if (other === undefined) this.#inodeOfKey.set(key, id);
    }
  }

  async #compareContent(expected: ExpectedContent, found: FoundInode): Promise<string | undefined | typeof UNKNOWN> {
    if (expected.kind === 'unknown') return UNKNOWN;
    this.#contents++;
    let position = 0;
    if (expected.kind === 'sha256') {
      const hash = createHash('sha256');
      for await (const piece of readContent(this.#reader, found)) {
        hash.update(piece);
        this.#count(piece.length);
      }
      return hash.digest('hex') === expected.hex ? undefined : this.#contentDiffers('content has another SHA-256');
    }
    try {
      const buffer = Buffer.allocUnsafe(Math.min(1048576, fileSize(found) + 1));
      for await (const piece of readContent(this.#reader, found)) {
        for (let at = 0; at < piece.length; at += buffer.length) {
          const part = piece.subarray(at, at + buffer.length);
          const count = expected.read(buffer.subarray(0, part.length), position);
          if (count !== part.length || !buffer.subarray(0, count).equals(part))
            return this.#contentDiffers(`content differs within the ${part.length} bytes from ${position} on`);
          position += count;
        }
        this.#count(piece.length);
      }
      if (expected.read(buffer.subarray(0, 1), position) !== 0)
        return this.#contentDiffers(`content ends at ${position}`);
      return undefined;
    } finally {
      expected.close();
    }
  }

  #contentDiffers(text: string): string {
    this.#onlyRounding = false;
    return text;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#options.onProgress?.(this.#counts['='], this.#bytes);
  }

  #isSampled(path: Buffer): boolean {
    if (!this.#options.content) return false;
    if (this.#options.sample >= 1) return true;
    return createHash('sha256').update(path).digest().readUInt32LE(0) / 0x1_0000_0000 < this.#options.sample;
  }

  #judge(path: Buffer, differences: readonly string[]): void {
    this.#say(differences.length === 0 ? '=' : '*', path, differences);
  }

  #unchecked(path: Buffer, error: unknown): void {
    if (!isClfsError(error, 'format', 'not-found', 'entry')) throw error;
    this.#say('!', path, [messageOf(error)]);
  }

  #say(mark: VerifyMark, path: Buffer, details: readonly string[]): void {
    if (mark === '+' || mark === '-') this.#onlyRounding = false;
    this.#counts[mark]++;
    this.#sink({ mark, path, details });
    this.#options.onProgress?.(this.#counts['='], this.#bytes);
  }
}

const UNKNOWN = Symbol('unknown content');

function formatNs(ns: bigint): string {
  return `${ns / 1_000_000_000n}.${String(ns % 1_000_000_000n).padStart(9, '0')}`;
}
