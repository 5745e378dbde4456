import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type NatsServer, startNats } from './nats.js';
import { type Running, run } from './run-workers.js';
import { removeTree } from './tree.js';

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
    const running = run(args);
    this.#started.push(running);
    return running;
  }

  worker(...more: string[]): Running {
    return this.start('worker', `--join=${this.server.url}`, '--threads=1', ...more);
  }

  /** Starts what leaves all work to workers, and notices soon when one is gone. */
  drive(...args: string[]): Running {
    return this.start(...args, `--workers=${this.server.url}`, '--threads=0', '--worker-lease=4s');
  }

  async close(): Promise<void> {
    for (const { child } of this.#started) {
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    }
    await Promise.all(this.#started.map(({ done }) => done));
    await this.server.close();
    removeTree(this.place);
  }
}
