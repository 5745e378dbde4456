import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '../lives/random.js';
import { CHANGES, DRAWN_CHANGES, heal } from './outside-changes.js';
import { judge } from './outside-judge.js';
import { MOMENTS, type Moment, runSession, type SessionEnd, type Timed } from './outside-session.js';
import { OutsideTree } from './outside-tree.js';
import { isRoot } from './tree.js';

const MOST_LAST_SESSIONS = 8;
const ENDS = ['itself', 'kill', 'kill', 'kill', 'signal', 'signal', 'twice', 'limit', 'limit'] as const;

export interface LifeResult {
  readonly findings: readonly string[];
  /** What was done and what came of it, in order. */
  readonly events: readonly string[];
  readonly arguments: readonly string[];
}

/**
 * One job from its first start to its end, over a source that moves. @param url of an empty container; else one on disk
 * is made
 */
export async function runLife(seed: number, base: string, url?: string): Promise<LifeResult> {
  const life = new Life(seed, base, url);
  await life.sessions();
  await life.finish();
  return life;
}

class Life implements LifeResult {
  readonly findings: string[] = [];
  readonly events: string[] = [];
  readonly arguments: readonly string[];
  readonly #random: Random;
  readonly #seed: number;
  readonly #tree: OutsideTree;
  readonly #container: string;
  readonly #state: string;
  readonly #manifest: string | undefined;
  readonly #links: boolean;
  #begun = false;
  #last: SessionEnd | undefined;

  constructor(seed: number, base: string, url?: string) {
    const random = new Random(seed);
    this.#random = random;
    this.#seed = seed;
    this.#tree = new OutsideTree(join(base, 'source'), join(base, 'aside'), random);
    this.#container = url ?? join(base, 'container');
    const user = join(base, 'user');
    this.#state = join(user, 'state');
    for (const directory of url ? [user] : [user, this.#container]) {
      mkdirSync(directory);
      if (isRoot) chownSync(directory, 65534, 65534);
    }
    chmodSync(base, 0o755);
    this.#links = random.below(3) > 0;
    this.#manifest = random.chance(35) ? join(user, 'manifest.jsonl') : undefined;
    this.arguments = [
      ...[
        'load',
        join(base, 'source'),
        this.#container,
        `--state-path=${this.#state}`,
        `--preserve-hardlinks=${this.#links}`,
      ],
      `--compression-type=${random.chance(70) ? 'LZ4' : 'DISABLED'}`,
      ...(this.#manifest ? [`--manifest=${this.#manifest}`] : []),
      ...(url ? ['--late-arrival=1s'] : []),
    ];
  }

  /** Sessions that end in all ways while the source is changed. */
  async sessions(): Promise<void> {
    const random = this.#random;
    for (let left = 1 + random.below(6); left > 0; left--) {
      const end = random.pick(ENDS);
      // A share of 5 to 75 MB/s makes a load of this size last for seconds.
      const drawn = random.chance(80) ? [`--cap-mbps=${random.pick([40, 150, 150, 600])}`] : [];
      // A container on disk has no rate.
      const cap = this.#container.startsWith('http') ? drawn : [];
      const limit = end === 'limit' ? random.below(3) : random.chance(80) ? 1000 : 50;
      const changes = random.chance(80) ? random.below(12) : 0;
      const acts = [
        ...Array.from({ length: changes }, (_, index) => this.#change(left * 100 + index)),
        ...this.#ending(end),
      ];
      this.events.push(`-- session to be ended by ${end} ${cap.join('')} limit ${limit}`);
      const result = await this.#session([`--max-errors=${limit}`, ...cap], acts);
      if (result.code === 1 && /Final Job Status: Failed/.test(result.output) && end !== 'limit' && limit === 1000)
        this.#find('it ended Failed', result);
      // What is complete stays so: one more session shows it.
      if (result.code === 0) break;
      for (let between = random.below(4); between > 0; between--) this.#apply(left * 100 + 50 + between);
      if (random.chance(15)) this.#heal();
    }
  }

  /** All is readable and at rest now: the job must come to its end. */
  async finish(): Promise<void> {
    this.#heal();
    let before: string | undefined;
    for (let count = 1; ; count++) {
      this.events.push('-- last session');
      const result = await this.#session(['--max-errors=1000'], []);
      const status = /Final Job Status: (\w+)/.exec(result.output)?.[1];
      if (result.code === 0) break;
      const failures = this.#failures();
      if (status !== 'CompletedWithErrors') return this.#find(`a last session ended ${status}`, result);
      if (failures === before) break;
      before = failures;
      if (count === MOST_LAST_SESSIONS) return this.#find('it does not come to rest', result);
    }
    if (!this.#container.startsWith('http')) {
      const parts = readdirSync(this.#container).filter((name) => name.startsWith('.'));
      if (parts.length > 0) this.findings.push(`parts of blobs remain: ${parts.join(' ')}`);
    }
    const failures = this.#failures();
    const complete = this.#last?.code === 0;
    if (complete && (failures !== '' || existsSync(join(this.#state, 'problems.txt'))))
      this.findings.push('it is complete, and reports failures');
    const judged = await judge(this.#tree, this.#container, {
      complete,
      links: this.#links,
      failures,
      manifest: this.#manifest,
    });
    this.findings.push(...judged);
  }

  async #session(more: readonly string[], acts: readonly Timed[]): Promise<SessionEnd> {
    const before = this.events.length;
    const result = await runSession([...this.arguments, ...more, `--new-session=${!this.#begun}`], acts);
    this.#last = result;
    const { code, output, hung } = result;
    const signalled = this.events.slice(before).some((event) => event.includes('SIG'));
    const held = output.includes('holds a job already');
    this.events.push(`   ended with ${code}, ${/Final Job Status: (\w+)/.exec(output)?.[1] ?? 'no status'}`);
    if (code === 1 && !output.includes('Final Job Status') && !held && !signalled)
      this.#find('it did not begin, and nobody stopped it', result);
    if (hung) this.#find('it did not end', result);
    if (/\n {4}at |unsafe-removal|container-differs|uncaught|Warning:/i.test(output))
      this.#find('it complains', result);
    if (code === 0 && this.findings.length === 0 && !/Failed: 0\n/.test(output))
      this.#find('it ended with 0 and counts failures', result);
    if (held || output.includes('Transfer phase has started')) this.#begun = true;
    return held ? this.#session(more, []) : result;
  }

  #ending(end: (typeof ENDS)[number]): Timed[] {
    const random = this.#random;
    if (end === 'itself' || end === 'limit') return [];
    const signal = end === 'kill' ? 'SIGKILL' : random.pick(['SIGINT', 'SIGTERM'] as const);
    const timed = this.#moment(end === 'kill' ? 700 : 500);
    const send = (delayMs: number): Timed => ({
      ...timed,
      delayMs,
      act: (child) => {
        this.events.push(`   ${signal}`);
        child.kill(signal);
      },
    });
    return end === 'twice' ? [send(timed.delayMs), send(timed.delayMs + random.below(400))] : [send(timed.delayMs)];
  }

  #change(number: number): Timed {
    return { ...this.#moment(600), act: () => this.#apply(number) };
  }

  #moment(most: number): { moment: Moment; delayMs: number } {
    const random = this.#random;
    const moment = random.chance(60) ? 'Transfer' : random.pick(MOMENTS);
    const within = moment === 'Cleanup' || moment === 'Finalize' ? 30 : random.pick([20, 100, most]);
    return { moment, delayMs: random.below(within) };
  }

  #apply(number: number): void {
    const random = new Random(this.#seed * 1000 + number);
    const name = random.pick(DRAWN_CHANGES);
    try {
      (CHANGES[name] as (typeof CHANGES)[string])[1](this.#tree, random);
      this.events.push(`   ${name}`);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === undefined || !['EACCES', 'EPERM', 'ENAMETOOLONG', 'EEXIST'].includes(code)) throw error;
    }
  }

  #heal(): void {
    heal(this.#tree);
    this.events.push('   all is healed');
  }

  #failures(): string {
    const file = join(this.#state, 'failures.jsonl');
    if (!existsSync(file)) return '';
    const prefix = Buffer.from(join(this.#tree.root, '/')).toString('hex');
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    return lines
      .map((line) => JSON.parse(line) as { path_hex: string; reason: string })
      .map(({ path_hex, reason }) => `${path_hex.slice(prefix.length)} ${reason}`)
      .sort()
      .join('\n');
  }

  #find(what: string, { output }: SessionEnd): void {
    this.findings.push(`${what}: ${output.slice(-1500)}`);
  }
}
