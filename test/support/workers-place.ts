import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type NatsServer, startNats } from './nats.js';
import { type Running, run } from './run-workers.js';
import { removeTree } from './tree.js';

const HOLDING = new URL('./holding-reads.mjs', import.meta.url).href;
/** What a {@link WorkersPlace.holdingWorker} says when it waits. */
export const HOLDS = /a file is not answered/;

/** A server of workers, what was started for one test, and a place for its files. To be closed. */
export class WorkersPlace {
  readonly server: NatsServer;
  readonly place: string;
  readonly #started: Running[] = [];

  private constructor(server: NatsServer, place: string) {
    this.server = server;
    this.place = place;
  }

  static async open(base: string, name: string): Promise<WorkersPlace> {
    const place = join(base, name);
    mkdirSync(place);
    return new WorkersPlace(await startNats(), place);
  }

  path(name: string): string {
    return join(this.place, name);
  }

  start(...args: string[]): Running {
    return this.#run(args);
  }

  #run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Running {
    const running = run(args, env);
    this.#started.push(running);
    return running;
  }

  worker(...more: string[]): Running {
    return this.start(...this.#asWorker(), ...more);
  }

  /** A worker that opens so many files whose paths match, and waits with the next one for {@link letGo}: it has tasks. */
  holdingWorker(path: RegExp, after: number): Running {
    const env = {
      NODE_OPTIONS: `--import=${HOLDING}`,
      HOLD_PATH: path.source,
      HOLD_AFTER: String(after),
      HOLD_UNTIL: this.path('let-go'),
    };
    return this.#run(this.#asWorker(), env);
  }

  /** What holding workers wait for. */
  letGo(): void {
    writeFileSync(this.path('let-go'), '');
  }

  #asWorker(): readonly string[] {
    return ['worker', `--join=${this.server.url}`, '--threads=1'];
  }

  /** Starts what leaves all work to workers, and notices soon when one is gone. */
  drive(...args: string[]): Running {
    // What is given counts, as the last one.
    const [verb, ...rest] = args;
    return this.start(verb, `--workers=${this.server.url}`, '--threads=0', '--worker-lease=4s', ...rest);
  }

  /** @param failed the test that it was for has failed: what was said is shown */
  async close(failed = false): Promise<void> {
    for (const { child, output } of failed ? this.#started : [])
      console.error(`${child.spawnargs.join(' ')}\nexit ${child.exitCode}; has said:\n${output()}`);
    for (const { child } of this.#started) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(this.#started.map(({ done }) => done));
    await this.server.close();
    removeTree(this.place);
  }
}
