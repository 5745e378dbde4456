import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError, messageOf } from '../../src/error.js';
import { exportJob } from '../../src/export/export-job.js';
import type { ExportJobOptions, ExportSummary, Overwrite } from '../../src/export/options.js';
import { drawExportLimits, setLimits } from '../lives/limits.js';
import { Random } from '../lives/random.js';
import { SMALL } from '../support/check.js';
import { isRoot } from '../support/tree.js';
import { VolatileDisk } from '../support/volatile-disk.js';
import { type Fault, Surroundings } from './faults.js';
import { differenceOf, linkDifferencesOf, type Snapshot, snapshotOf } from './snapshot.js';
import { bytesOf } from './tree.js';
import type { World } from './world.js';

/** How a life went. */
export interface Outcome {
  readonly findings: readonly string[];
  readonly story: readonly string[];
}

const MOST_SESSIONS = 5;
const HEALING = 6;

/**
 * Lives one life: sessions in which something goes wrong, changes by hand in between, and sessions that bring it to its
 * end.
 */
export async function live(seed: number, world: World, base: string): Promise<Outcome> {
  const directory = mkdtempSync(join(base, 'life-'));
  const life = new Life(seed, world, directory);
  try {
    return await life.run();
  } finally {
    life.end();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Whether a session ended since a directory is not there in which something is done. */
function isGone(error: unknown): boolean {
  return error instanceof ClfsError && error.code === 'target' && error.message.includes('is not there any more');
}

/** Whether a path, or one above it, is one of some. */
function isAmong(paths: ReadonlySet<string>, path: string): boolean {
  for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) if (paths.has(at)) return true;
  return false;
}

class Life {
  readonly #random: Random;
  readonly #world: World;
  readonly #directory: string;
  readonly #target: string;
  readonly #outside: string;
  readonly #statePath: string | undefined;
  readonly #overwrite: Overwrite;
  readonly #sparse: boolean;
  readonly #isLate: boolean;
  /** Whether each session takes its target for slow. */
  readonly #isSlow: boolean;
  readonly #changesByHand: boolean;
  readonly #disk = new VolatileDisk();
  readonly #findings: string[] = [];
  readonly #story: string[] = [];
  /** Paths that somebody else changed; what is there, and below, is not this export's. */
  readonly #touched = new Set<string>();
  /** Those of them that were changed otherwise than by taking a directory away. */
  readonly #changed = new Set<string>();
  /** Those of them that are directories which somebody took away as they were. */
  readonly #taken = new Set<string>();
  /** Where what was moved is now, by where it was. */
  readonly #moved = new Map<string, string>();
  /** The container as it is: a repair may come in between. */
  #store: MemoryContainer;
  readonly #repairs: Random;
  #session = 0;
  /** Whether the latest session lost what was not synced, whoever had written it. */
  #hasLost = false;

  constructor(seed: number, world: World, directory: string) {
    const random = new Random(seed);
    this.#random = random;
    this.#world = world;
    this.#directory = directory;
    this.#target = join(directory, 'target');
    this.#outside = join(directory, 'outside');
    this.#overwrite = random.pick(['if-different', 'if-different', 'never', 'always']);
    this.#sparse = random.chance(30);
    this.#isLate = random.chance(60);
    this.#changesByHand = random.chance(40);
    this.#statePath = random.chance(50) ? join(directory, 'state') : undefined;
    this.#isSlow = random.chance(50);
    const repairs = new Random(seed + 0.5);
    this.#repairs = repairs;
    setLimits(repairs.chance(40) ? drawExportLimits(repairs) : {});
    // A name that is there is somebody else's with --overwrite=never, and gets no links: those of a repair are files of their own.
    const mayLack = this.#overwrite !== 'never' && repairs.chance(40);
    this.#store = (mayLack && world.unrepaired) || world.store;
  }

  async run(): Promise<Outcome> {
    mkdirSync(this.#outside);
    writeFileSync(join(this.#outside, 'kept'), 'outside');
    this.#tell(
      `--overwrite=${this.#overwrite}${this.#sparse ? ' --sparse' : ''}${this.#isSlow ? ', slow target' : ''}`,
    );
    if (this.#random.chance(30)) this.#furnish();
    let summary: ExportSummary | undefined;
    // What is complete before a repair has something to do after it.
    let repaired = -1;
    const isOver = () =>
      summary?.status === 'Completed' && repaired < this.#session && this.#store === this.#world.store;
    const repair = () => {
      if (this.#store === this.#world.store) return;
      this.#store = this.#world.store;
      repaired = this.#session;
      this.#tell('repaired');
    };
    for (let left = this.#random.below(MOST_SESSIONS); left > 0 && !isOver(); left--) {
      if (this.#repairs.chance(30)) repair();
      const before = this.#wholeFiles();
      summary = await this.#export(this.#faults(), this.#random.chance(20) ? this.#random.below(3) : 50);
      if (!this.#hasLost) this.#requireUntouched(before);
      if (this.#changesByHand && summary?.status !== 'Completed' && existsSync(this.#target))
        for (let changes = 1 + this.#random.below(3); changes > 0; changes--) this.#changeByHand();
    }
    repair();
    for (let left = HEALING; left > 0 && !isOver(); left--) {
      if (summary?.status === 'CompletedWithErrors') this.#clearTheWay();
      summary = await this.#export([], 1000);
      if (isGone(summary?.error)) this.#putBack();
    }
    if (summary?.status !== 'Completed') this.#find(`never completed: ${summary?.status} ${messageOf(summary?.error)}`);
    else this.#judge(summary, this.#touched);
    this.#judgeTaken();
    await this.#judgeAnew();
    if (snapshotOf(this.#outside).size !== 2 || lstatSync(join(this.#outside, 'kept')).size !== 7)
      this.#find('something outside of the target was changed');
    return { findings: this.#findings, story: this.#story };
  }

  end(): void {
    this.#disk.forget();
  }

  async #export(
    faults: readonly Fault[],
    maxErrors: number,
    more: Partial<ExportJobOptions> = {},
  ): Promise<ExportSummary | undefined> {
    const session = ++this.#session;
    const lateness = (call: number) => (this.#isLate || call < 0 ? this.#random.at(4, session, call) : 0);
    const around = new Surroundings(faults, { store: this.#store, disk: this.#disk }, lateness);
    const isThere = this.#statePath !== undefined && existsSync(join(this.#statePath, 'job.db'));
    let ended: string;
    let summary: ExportSummary | undefined;
    try {
      summary = await exportJob({
        container: '/unused',
        target: this.#target,
        statePath: this.#statePath,
        newSession: !isThere,
        overwrite: this.#overwrite,
        sparse: this.#sparse,
        maxErrors,
        signal: around.controller.signal,
        internals: {
          container: around.container,
          calls: around.calls,
          laterCalls: this.#isSlow ? around.laterCalls : undefined,
          hooks: around.hooks,
          geometry: SMALL,
        },
        ...more,
      });
      ended = `${summary.status} ${summary.error === undefined ? '' : messageOf(summary.error)}`;
    } catch (error) {
      ended = `refused: ${messageOf(error)}`;
      // A refusal without a fault would be one for ever.
      if (around.happened.length === 0) this.#find(`refused without a fault: ${(error as Error).stack}`);
    }
    if (isGone(summary?.error) && this.#taken.size === 0)
      this.#find('a directory is said to be gone that nobody took away');
    this.#hasLost = around.lostBytes;
    const { commit, change, sync, read } = around.counts;
    this.#tell(
      `session ${session}: ${around.happened.join(', ') || 'no fault'}; ${commit} commits, ${change} changes, ${sync} syncs, ${read} reads: ${ended}`,
    );
    const { error } = summary ?? {};
    if (error !== undefined && !around.wasKilled && (!(error instanceof ClfsError) || error.code === 'worker'))
      this.#find(`failed by a fault of its own: ${messageOf(error)}`);
    return summary;
  }

  #faults(): Fault[] {
    const faults: Fault[] = [];
    const entries = this.#world.expected.size;
    for (let count = 1 + this.#random.below(2); count > 0; count--) {
      switch (this.#random.below(4)) {
        case 0:
          faults.push({
            on: 'commit',
            at: 1 + this.#random.small(12),
            what: this.#random.pick(['crash before', 'crash after']),
          });
          break;
        case 1: {
          const what = this.#random.pick<Fault['what']>([
            'crash before',
            'crash after',
            'power cut',
            'full',
            'refused',
            'signal',
          ]);
          faults.push({ on: 'change', at: 1 + this.#random.below(7 * entries), what });
          break;
        }
        case 2: {
          const what = this.#random.pick<Fault['what']>(['power cut', 'not synced', 'not synced', 'crash after']);
          faults.push({ on: 'sync', at: 1 + this.#random.below(12), what });
          break;
        }
        default: {
          const what = this.#random.pick<Fault['what']>([
            'crash before',
            'missing',
            'missing',
            'damaged',
            'unavailable',
            'signal',
          ]);
          faults.push({ on: 'read', at: 3 + this.#random.below(2 * entries), what });
        }
      }
    }
    return faults;
  }

  /** Puts something into the target before the first session. */
  #furnish(): void {
    mkdirSync(this.#target);
    for (const [path, { kind }] of this.#world.expected) {
      if (path === '' || path.lastIndexOf('/') > 0 || !this.#random.chance(30)) continue;
      const at = bytesOf(`${this.#target}${path}`);
      // A directory of somebody else is not taken away for a file, nor, with --overwrite=never, the other way round.
      if (kind === 'directory') mkdirSync(at);
      else writeFileSync(at, 'of somebody else');
      if (this.#overwrite === 'never' && kind !== 'directory') this.#touch(path, this.#changed);
      this.#tell(`there already: ${path}`);
    }
    this.#furnishTwins();
  }

  /** Puts files there that are as they should be, but for which of them are links of one another. */
  #furnishTwins(): void {
    const made: string[] = [];
    for (const path of this.#world.expected.keys()) {
      const at = `${this.#target}${path}`;
      if (!path.startsWith('/twin') || existsSync(at) || this.#random.chance(25)) continue;
      const other = made.length > 0 && this.#random.chance(60) ? this.#random.pick(made) : undefined;
      if (other !== undefined) linkSync(`${this.#target}${other}`, at);
      else execFileSync('cp', ['-p', `${this.#world.source}${path}`, at]);
      made.push(path);
      if (this.#overwrite === 'never') this.#touch(path, this.#changed);
      this.#tell(`there already: ${path}${other === undefined ? '' : `, a link of ${other}`}`);
    }
  }

  #changeByHand(): void {
    const there = [...snapshotOf(this.#target)].filter(([path]) => path !== '');
    if (there.length === 0) return;
    const [path, { kind }] = this.#random.pick(there);
    const at = bytesOf(`${this.#target}${path}`);
    const remove = () => rmSync(at, { recursive: true, force: true });
    // What is done to a temporary file that keeps its inode is not noticed.
    const isTemporary = path.includes('/.clfsload-');
    const how = this.#random.pick(['edit', 'remove', 'directory', 'symlink', 'mode', 'move']);
    this.#tell(`by hand: ${how} ${path}`);
    const isTaken = kind === 'directory' && ['remove', 'symlink', 'move'].includes(how);
    this.#touch(path, isTaken ? this.#taken : this.#changed);
    if (how === 'remove') remove();
    else if (how === 'directory' && kind !== 'directory') {
      remove();
      mkdirSync(at);
    } else if (how === 'symlink') {
      remove();
      symlinkSync(this.#outside, at);
    } else if (how === 'mode' && kind !== 'link' && !isTemporary) chmodSync(at, 0o123);
    else if (how === 'move') {
      const place = `/moved-${this.#session}-${this.#random.below(1000)}`;
      this.#moved.set(path, place);
      renameSync(at, bytesOf(`${this.#target}${place}`));
    } else if (kind === 'file' && !isTemporary) appendFileSync(at, 'edited');
  }

  /** What is done to one name of a file is done to all of them. @param how takes the path, too */
  #touch(path: string, how: Set<string>): void {
    const { expected } = this.#world;
    for (const touched of new Set([this.#touched, how])) {
      touched.add(path);
      for (const [each, { inode }] of expected) {
        if (!isAmong(touched, each)) continue;
        for (const [other, entry] of expected)
          if (entry.inode === inode && entry.kind !== 'directory' && touched !== this.#taken) touched.add(other);
      }
    }
  }

  /** Puts back what was moved; when that cannot be, the export begins anew. */
  #putBack(): void {
    const there = [...this.#moved].filter(([from, to]) => {
      const isFree = lstatSync(bytesOf(`${this.#target}${from}`), { throwIfNoEntry: false }) === undefined;
      return isFree && existsSync(bytesOf(`${this.#target}${to}`)) && existsSync(bytesOf(`${this.#target}${from}/..`));
    });
    this.#moved.clear();
    for (const [from, to] of there) renameSync(bytesOf(`${this.#target}${to}`), bytesOf(`${this.#target}${from}`));
    this.#tell(there.length > 0 ? `put back: ${there.map(([from]) => from).join(', ')}` : 'the export begins anew');
    if (there.length > 0) return;
    rmSync(this.#statePath ?? join(this.#directory, '.target.clfsload-export'), { recursive: true, force: true });
    for (const [path] of [...snapshotOf(this.#target)].reverse())
      if (path.includes('/.clfsload-')) rmSync(bytesOf(`${this.#target}${path}`), { recursive: true, force: true });
  }

  /** Takes away what somebody has put in the way of a file or directory. */
  #clearTheWay(): void {
    for (const [path, { kind }] of snapshotOf(this.#target)) {
      if (kind === 'directory' && path.includes('/.clfsload-'))
        rmSync(bytesOf(`${this.#target}${path}`), { recursive: true, force: true });
    }
    for (const [path, { kind }] of this.#world.expected) {
      const at = bytesOf(`${this.#target}${path}`);
      const is = lstatSync(at, { throwIfNoEntry: false });
      if (!is || is.isDirectory() === (kind === 'directory')) continue;
      rmSync(at, { recursive: true, force: true });
      this.#tell(`out of the way: ${path}`);
    }
  }

  /** Files with one name that are as they should be. */
  #wholeFiles(): Snapshot {
    if (!existsSync(this.#target)) return new Map();
    return new Map(
      [...snapshotOf(this.#target)].filter(([path, is]) => {
        const should = this.#world.expected.get(path);
        return (
          should &&
          is.kind === 'file' &&
          should.linkCount === 1n &&
          is.linkCount === 1n &&
          differenceOf(is, should) === '' &&
          !this.#isTouched(path)
        );
      }),
    );
  }

  #requireUntouched(before: Snapshot): void {
    if (this.#overwrite === 'always') return;
    const after = before.size > 0 ? snapshotOf(this.#target) : before;
    for (const [path, was] of before) {
      const is = after.get(path);
      if (is?.inode !== was.inode || is.ctimeNs !== was.ctimeNs) this.#find(`written again: ${path}`);
    }
  }

  #isTouched(path: string): boolean {
    return isAmong(this.#touched, path);
  }

  /** A directory that was taken away is not there again without what was in it. */
  #judgeTaken(): void {
    const is = snapshotOf(this.#target);
    for (const path of this.#taken) {
      if (is.get(path)?.kind !== 'directory' || isAmong(this.#changed, path)) continue;
      const away = [...this.#taken].filter((each) => each.startsWith(`${path}/`) && is.get(each)?.kind !== 'directory');
      const apart = new Set([...this.#changed, ...away]);
      for (const [below, should] of this.#world.expected) {
        if (!below.startsWith(`${path}/`) || isAmong(apart, below)) continue;
        if (is.get(below)?.content !== should.content)
          this.#find(`${below} is missing in a directory that was taken away`);
      }
    }
  }

  #judge({ progress, status }: ExportSummary, touched: ReadonlySet<string>): void {
    const { expected } = this.#world;
    const is = snapshotOf(this.#target);
    const isParentOfTouched = (path: string) =>
      [...touched].some((each) => each.slice(0, each.lastIndexOf('/')) === path);
    for (const [path, should] of expected) {
      if (touched.size > 0 && (this.#isTouched(path) || isParentOfTouched(path))) continue;
      const difference = differenceOf(is.get(path), should);
      if (difference !== '') this.#find(`${path || '.'} ${difference}`);
    }
    for (const path of is.keys()) {
      if (!expected.has(path) && !(touched.size > 0 && (this.#isTouched(path) || path.startsWith('/moved-'))))
        this.#find(`${path} is too much`);
    }
    if (touched.size > 0) return;
    for (const difference of linkDifferencesOf(is, expected)) this.#find(difference);
    const { written, replaced, left, failed } = progress;
    if (status === 'Completed' && written + replaced + left !== expected.size)
      this.#find(`${written} written, ${replaced} replaced, ${left} left, ${failed} failed, of ${expected.size}`);
  }

  /** When what others changed is taken away, an export anew makes everything right. */
  async #judgeAnew(): Promise<void> {
    this.#clearTheWay();
    for (const path of this.#touched) rmSync(bytesOf(`${this.#target}${path}`), { recursive: true, force: true });
    for (const name of readdirSync(this.#target))
      if (name.startsWith('moved-') || name.startsWith('.clfsload-'))
        rmSync(join(this.#target, name), { recursive: true, force: true });
    rmSync(join(this.#directory, '.target.clfsload-export'), { recursive: true, force: true });
    this.#changeQuietly();
    const summary = await this.#export([], 0, {
      overwrite: 'if-different',
      statePath: join(this.#directory, 'state-anew'),
      newSession: true,
    });
    if (summary?.status !== 'Completed') this.#find(`not completed anew: ${messageOf(summary?.error)}`);
    else this.#judge(summary, new Set());
  }

  /** Changes entries so that neither time nor length tells of it. */
  #changeQuietly(): void {
    if (!isRoot) return;
    for (const [path, { kind, mtimeNs }] of this.#world.expected) {
      const at = bytesOf(`${this.#target}${path}`);
      if (kind === 'directory' || !this.#random.chance(10) || !lstatSync(at, { throwIfNoEntry: false })) continue;
      this.#tell(`quietly: ${path}`);
      if (kind === 'link') {
        rmSync(at);
        symlinkSync('elsewhere', at);
        lutimesSync(at, Number(mtimeNs) / 1e9, Number(mtimeNs) / 1e9);
      } else if (this.#random.chance(50)) chmodSync(at, 0o123);
      else chownSync(at, 7, 7);
    }
  }

  #tell(text: string): void {
    this.#story.push(text);
  }

  #find(text: string): void {
    this.#findings.push(text);
    this.#story.push(`! ${text}`);
  }
}
