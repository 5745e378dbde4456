import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { ClfsError, messageOf } from '../error.js';
import { type ManifestEntry, parseManifestEntry } from '../manifest/manifest-entry.js';
import { entryFailure } from '../source/source-tree.js';
import { TemporaryTable } from '../spill/temporary-table.js';
import { quotePath } from '../text/escape-path.js';
import { clampNs, type Expectation, type ExpectedEntry } from './expectation.js';

/**
 * Expects of a container what a manifest says. Its lines are kept in a temporary table, by directory and name. To be
 * closed.
 *
 * @throws ClfsError `usage`; `temporary`; the reason of the signal
 */
export async function expectManifest(file: string | Uint8Array, signal?: AbortSignal): Promise<Expectation> {
  const lines = new ManifestLines();
  try {
    await readLines(file, lines, signal);
    const lost = lines.withoutDirectory();
    if (lost)
      throw new ClfsError(
        'usage',
        `The manifest ${quotePath(Buffer.from(file))} has ${quotePath(lost)}, and no line of the directory that it is in: it is not whole.`,
      );
  } catch (error) {
    lines.close();
    if (error instanceof ClfsError || signal?.aborted) throw error;
    throw new ClfsError('usage', `Cannot read the manifest ${quotePath(Buffer.from(file))}: ${messageOf(error)}.`, {
      cause: error,
    });
  }
  return {
    isPlain: true,
    directory(path) {
      const self = toExpected(path, known(lines.get(path)));
      // Each entry is asked for twice: what it is, and its content.
      let last: { readonly name: Buffer; readonly entry: ManifestEntry } | undefined;
      const child = (name: Buffer): ManifestEntry => {
        if (!last?.name.equals(name)) last = { name, entry: known(lines.child(path, name)) };
        return last.entry;
      };
      return {
        self,
        names: () => lines.names(path),
        entry: (name) => toExpected(name, child(name)),
        content(name) {
          const { sha256 } = child(name);
          return sha256 === undefined ? { kind: 'unknown' } : { kind: 'sha256', hex: sha256 };
        },
        close: () => undefined,
      };
    },
    close: () => lines.close(),
  };
}

async function readLines(file: string | Uint8Array, lines: ManifestLines, signal?: AbortSignal): Promise<void> {
  let number = 0;
  for await (const line of createInterface({
    input: createReadStream(typeof file === 'string' ? file : Buffer.from(file)),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    signal?.throwIfAborted();
    number++;
    if (line !== '') lines.add(line, number);
  }
}

function known(entry: ManifestEntry | undefined): ManifestEntry {
  if (!entry) throw entryFailure('entry-vanished', 'the manifest does not have it');
  return entry;
}

const ROOT = Buffer.alloc(0);
const ROOT_KEY = Buffer.of(0);
/** Between a directory and a name of it: neither has it. */
const ZERO = 0;
const SLASH = 0x2f;

/** The lines of a manifest: by directory, and by name in each. Every call may throw ClfsError `temporary`. */
class ManifestLines {
  readonly #table = new TemporaryTable();

  /** @throws ClfsError `usage` when it is no line of a manifest, or says something else than one before */
  add(line: string, number: number): void {
    const path = pathOf(parseManifestEntry(line, number));
    if (path.includes(ZERO))
      throw new ClfsError(
        'usage',
        `Line ${number} of the manifest has a path with a zero byte, which no file can have.`,
      );
    const [key, bytes] = [keyOf(path), Buffer.from(line)];
    if (this.#table.add(key, bytes) || bytes.equals(this.#table.get(key) ?? bytes)) return;
    throw new ClfsError(
      'usage',
      `Line ${number} of the manifest says of ${quotePath(path.length === 0 ? Buffer.from('.') : path)} something else than a line before: only one of them can be true.`,
    );
  }

  get(path: Uint8Array): ManifestEntry | undefined {
    const line = this.#table.get(keyOf(path));
    return line && parseManifestEntry(Buffer.from(line).toString(), 0);
  }

  child(directory: Uint8Array, name: Uint8Array): ManifestEntry | undefined {
    return this.get(directory.length === 0 ? name : Buffer.concat([directory, Buffer.of(SLASH), name]));
  }

  /** Names in a directory. */
  *names(directory: Uint8Array): Generator<Buffer> {
    const from = Buffer.concat([directory, Buffer.of(ZERO)]);
    for (const page of this.#table.between(from, Buffer.concat([directory, Buffer.of(ZERO + 1)])))
      for (const [key] of page) yield Buffer.from(key.subarray(from.length));
  }

  /** Path of an entry whose directory has no line. */
  withoutDirectory(): Buffer | undefined {
    let checked: Buffer | undefined;
    for (const [bytes] of this.#table.pairs()) {
      const key = Buffer.from(bytes);
      const end = key.indexOf(ZERO);
      const directory = key.subarray(0, end);
      if (key.equals(ROOT_KEY) || checked?.equals(directory)) continue;
      if (!this.#table.get(keyOf(directory)))
        return Buffer.concat([directory, ...(end === 0 ? [] : [Buffer.of(SLASH)]), key.subarray(end + 1)]);
      checked = directory;
    }
    return undefined;
  }

  close(): void {
    this.#table.close();
  }
}

function pathOf({ path }: ManifestEntry): Buffer {
  const bytes = Buffer.from(path);
  return bytes.equals(Buffer.from('.')) ? ROOT : bytes;
}

/** The root has an empty name in an empty directory. */
function keyOf(path: Uint8Array): Buffer {
  const slash = path.lastIndexOf(SLASH);
  return Buffer.concat([path.subarray(0, Math.max(slash, 0)), Buffer.of(ZERO), path.subarray(slash + 1)]);
}

function toExpected(name: Buffer, entry: ManifestEntry): ExpectedEntry {
  const { type, mode, uid, gid, sizeBytes, deviceMajor, deviceMinor, linkGroup } = entry;
  return {
    name,
    type,
    permissions: mode & 0o7777,
    uid,
    gid,
    sizeBytes,
    deviceMajor,
    deviceMinor,
    mtimeNs: clampNs(entry.mtimeNs),
    linkKey: linkGroup,
    target: entry.target && Buffer.from(entry.target),
  };
}
