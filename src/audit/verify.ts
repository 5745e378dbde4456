import { type Asker, askHere } from '../engine/asker.js';
import { LANE_UNITS } from '../engine/lane-loads.js';
import { ROOT_ID } from '../format/ids.js';
import type { ContainerReader } from '../namespace/reader.js';
import { sideBySide } from '../namespace/side-by-side.js';
import { joinPath } from '../paths/join-path.js';
import { joined, separated } from '../spill/spilled-list.js';
import { SpilledStack } from '../spill/spilled-stack.js';
import { quotePath } from '../text/escape-path.js';
import { compareLarge, type LargeContent } from './compare-large.js';
import { ComparedLinks } from './compared-links.js';
import type { Expectation } from './expectation.js';
import { KeptParts } from './kept-parts.js';
import { compareDirectoryWith } from './tasks/compare-directory.js';
import { createAuditContext } from './tasks/context.js';
import { AUDIT_EXECUTORS } from './tasks/executors.js';
import type {
  AuditKinds,
  CompareConstants,
  Differences,
  DirectoryPart,
  DirectoryResult,
  DirectoryTask,
  GivenEntry,
} from './tasks/kinds.js';

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
export interface VerifyOptions extends CompareConstants {
  readonly signal?: AbortSignal;
  /** Told of entries that have been checked, and of bytes that have been compared. */
  readonly onProgress?: (entries: number, bytes: number) => void;
  /** Called now and then: what was told so far can be written, so that it need not be kept. It is waited for. */
  readonly drain?: () => Promise<void> | undefined;
  /** Lanes that compare, which have the expectation unless it is plain; by default the calling thread alone. */
  readonly crew?: Asker<AuditKinds>;
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

/** How much of a lane a directory takes. */
const DIRECTORY_UNITS = 16;
/** Bytes of a name and a handle, about: an entry takes one unit. */
const ENTRY_BYTES = 48;
/** Large files of some entries that are compared at once. */
const LARGE_AT_ONCE = 8;

/**
 * Compares a container with what it should hold. Lines come in the order in which they are found.
 *
 * Never compared: access and change times, inode numbers, the size of directories. Links are compared where the
 * container has preserved them.
 *
 * @throws ClfsError `open-files` when there was no descriptor left, for long; `not-found`, `format` when there is no
 * root directory; whatever the container throws beside these two
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

/** A directory that is to be compared, by its handle; or entries of one, as `DirectoryPart.chunks` has them. */
interface Item {
  readonly kind: 'directory' | 'entries';
  readonly path: Buffer;
  readonly bytes: Buffer;
}

class Comparison {
  readonly #expectation: Expectation;
  readonly #reader: ContainerReader;
  readonly #options: VerifyOptions;
  readonly #crew: Asker<AuditKinds>;
  readonly #sink: (line: VerifyLine) => void;
  readonly #counts = { '=': 0, '+': 0, '-': 0, '*': 0, '!': 0 };
  #checked = 0;
  #contents = 0;
  #bytes = 0;
  #onlyRounding = true;
  #units = 0;
  #failure: { readonly error: unknown } | undefined;
  #wake: () => void = () => undefined;
  readonly #links = new ComparedLinks();
  /** The last one first: what is below a directory comes before what is beside it, so that little waits. */
  readonly #items = new SpilledStack<Item>({
    encode: ({ kind, path, bytes }) => joined([Buffer.from(kind), path, bytes]),
    decode(block) {
      const [kind, path, bytes] = separated(block);
      return { kind: kind.toString() === 'directory' ? 'directory' : 'entries', path, bytes };
    },
  });

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
    const { content, sample, timeToleranceNs, ignored } = options;
    const constants = { geometry: reader.geometry, compare: { content, sample, timeToleranceNs, ignored } };
    this.#crew = options.crew ?? askHere(AUDIT_EXECUTORS, createAuditContext(constants, reader, expectation));
  }

  /** What is under way uses the expectation: it is waited for, also after a failure. */
  async run(): Promise<void> {
    // Without a root there is nothing to compare.
    await this.#reader.inode(ROOT_ID);
    this.#push({ kind: 'directory', path: Buffer.alloc(0), bytes: Buffer.from(ROOT_ID) });
    for (;;) {
      try {
        await this.#pause();
        while (!this.#failure && this.#units < this.#crew.lanes * LANE_UNITS) {
          const item = this.#items.pop();
          if (!item) break;
          this.#begin(item);
        }
      } catch (error) {
        this.#failure ??= { error };
      }
      if (this.#units === 0) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure) throw this.#failure.error;
  }

  close(): void {
    for (const each of [this.#links, this.#items]) each.close();
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

  #push(item: Item): void {
    this.#items.push(item);
    this.#wake();
  }

  #begin(item: Item): void {
    const isDirectory = item.kind === 'directory';
    const units = isDirectory ? DIRECTORY_UNITS : Math.ceil(item.bytes.length / ENTRY_BYTES);
    this.#units += units;
    const end = () => {
      this.#units -= units;
      this.#wake();
    };
    (isDirectory ? this.#directory(item, units) : this.#entries(item, units)).then(end, (error: unknown) => {
      this.#failure ??= { error };
      end();
    });
  }

  async #directory({ path, bytes: handle }: Item, units: number): Promise<void> {
    const tell = (part: DirectoryPart) => this.#part(path, part);
    const task = { path, handle };
    const { differences, unchecked } = this.#expectation.isPlain
      ? await compareDirectoryWith(this.#expectation, this.#reader, this.#options, task, tell)
      : await this.#askDirectory(task, units, tell);
    // What was not checked as a whole is not the same, but may be known to differ.
    if (differences && (unchecked === undefined || differences.texts.length > 0)) this.#judge(path, differences);
    if (unchecked !== undefined) this.#say('!', path, [unchecked]);
  }

  /** What was told of a directory counts when it was told to the end, where a lane may go before. */
  async #askDirectory(
    task: DirectoryTask,
    units: number,
    tell: (part: DirectoryPart) => void,
  ): Promise<DirectoryResult> {
    const subject = () => `the directory ${quotePath(task.path)}`;
    if (!this.#crew.mayRepeat) return this.#crew.ask('directory', task, units, { part: tell, subject });
    const kept = new KeptParts();
    try {
      const result = await this.#crew.ask('directory', task, units, {
        part: (part) => kept.add(part),
        again: () => kept.clear(),
        subject,
      });
      for (const part of kept.all()) tell(part);
      return result;
    } finally {
      kept.clear();
    }
  }

  #part(path: Buffer, { chunks, missing, extra }: DirectoryPart): void {
    for (const name of missing) this.#say('+', joinPath(path, name), []);
    for (const name of extra) this.#say('-', joinPath(path, name), []);
    for (const bytes of chunks) this.#push({ kind: 'entries', path, bytes: Buffer.from(bytes) });
    // Lines may have to be written.
    this.#wake();
  }

  async #entries({ path, bytes: entries }: Item, units: number): Promise<void> {
    const parts = [...separated(entries)];
    const given = this.#expectation.isPlain ? await this.#given(path, parts) : undefined;
    const { outcomes, contents, bytes } = await this.#crew.ask('entries', { path, entries, given }, units, {
      subject: () => `entries of the directory ${quotePath(path)}`,
    });
    this.#contents += contents;
    this.#bytes += bytes;
    const large: LargeEntry[] = [];
    for (const [index, outcome] of outcomes.entries()) {
      const [name, handle] = [parts[2 * index], parts[2 * index + 1]];
      const { isDirectory, unchecked, differences = SAME, link, largeBytes } = outcome;
      const entryPath = joinPath(path, name);
      if (isDirectory) this.#push({ kind: 'directory', path: entryPath, bytes: handle });
      else if (unchecked !== undefined) this.#say('!', entryPath, [unchecked]);
      else {
        const all = addTexts(differences, link ? this.#links.compare(link) : []);
        if (largeBytes === undefined) this.#judge(entryPath, all);
        else large.push({ path, name, handle, sizeBytes: largeBytes, sha256: given?.[index].sha256, differences: all });
      }
    }
    await sideBySide(large, LARGE_AT_ONCE, (entry) => this.#large(entry));
  }

  async #given(path: Buffer, parts: readonly Buffer[]): Promise<readonly GivenEntry[]> {
    const directory = await this.#expectation.directory(path);
    try {
      const given: GivenEntry[] = [];
      for (let at = 0; at < parts.length; at += 2) {
        const content = await directory.content(parts[at]);
        given.push({
          entry: await directory.entry(parts[at]),
          sha256: content.kind === 'sha256' ? content.hex : undefined,
        });
      }
      return given;
    } finally {
      directory.close();
    }
  }

  async #large(entry: LargeEntry): Promise<void> {
    let compared = 0;
    const told = (bytes: number) => {
      this.#bytes += bytes;
      compared += bytes;
      this.#tell();
    };
    const { difference, unchecked } = (await compareLarge(this.#crew, entry, told)) ?? {};
    // Once something differs the rest is not read.
    this.#reader.countPassed(0, Math.max(0, entry.sizeBytes - compared));
    const entryPath = joinPath(entry.path, entry.name);
    if (unchecked !== undefined) this.#say('!', entryPath, [unchecked]);
    else this.#judge(entryPath, addTexts(entry.differences, difference === undefined ? [] : [difference]));
  }

  #pause(): Promise<void> | undefined {
    this.#options.signal?.throwIfAborted();
    return this.#options.drain?.() ?? this.#reader.pause();
  }

  #judge(path: Buffer, { texts, onlyRounding }: Differences): void {
    if (!onlyRounding) this.#onlyRounding = false;
    this.#say(texts.length === 0 ? '=' : '*', path, texts);
  }

  #say(mark: VerifyMark, path: Buffer, details: readonly string[]): void {
    if (mark === '+' || mark === '-') this.#onlyRounding = false;
    this.#counts[mark]++;
    if (mark !== '+') this.#checked++;
    this.#sink({ mark, path, details });
    this.#tell();
  }

  #tell(): void {
    this.#options.onProgress?.(this.#checked, this.#bytes);
  }
}

/** A large file of which all but the content has been compared. */
interface LargeEntry extends LargeContent {
  readonly differences: Differences;
}

const SAME: Differences = { texts: [], onlyRounding: true };

/** @param further differences that are no rounding */
function addTexts({ texts, onlyRounding }: Differences, further: readonly string[]): Differences {
  return { texts: [...texts, ...further], onlyRounding: onlyRounding && further.length === 0 };
}
