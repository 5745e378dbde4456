import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './azurite.js';
import { inTime } from './in-time.js';
import { outputs } from './run-workers.js';
import { removeTree } from './tree.js';

/** Whether there is a `nats-server` to run tests with; `.ci/run` installs it. */
export const HAS_NATS = spawnSync('nats-server', ['--version']).status === 0;

/** A server of workers. */
export interface NatsServer {
  readonly url: string;
  /** Ends it: at once, without a word to anybody, or as one is ended. */
  stop(signal: 'SIGKILL' | 'SIGTERM'): Promise<void>;
  /** Has it do nothing, or go on. */
  freeze(frozen: boolean): void;
  /** Starts it again, where it was; it has forgotten what was in its memory. */
  start(): Promise<void>;
  /** Has it take other lines of configuration while it runs. */
  reload(more: string): void;
  close(): Promise<void>;
}

/** Where a server is. */
interface NatsPlace {
  readonly address: string;
  /** What its command line begins with. */
  readonly on: readonly string[];
}

/** @param more lines of its configuration; or what gives all of it, by its port and a directory for it */
export async function startNats(
  more: string | ((port: number, directory: string) => string) = '',
  { address, on }: NatsPlace = { address: '127.0.0.1', on: [] },
): Promise<NatsServer> {
  const port = await freePort();
  const directory = mkdtempSync(join(tmpdir(), 'clfs-nats-'));
  const configuration = join(directory, 'server.conf');
  writeFileSync(
    configuration,
    typeof more === 'string' ? plain(address, port, directory, more) : more(port, directory),
  );
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let log = '';
  const stop = async (signal: 'SIGKILL' | 'SIGTERM') => {
    child?.kill(signal);
    await inTime(`nats-server ends by ${signal}`, ended, () => `${log}\n${outputs()}`);
    child = undefined;
  };
  const server: NatsServer = {
    url: `nats://${address}:${port}`,
    stop,
    freeze: (frozen) => void child?.kill(frozen ? 'SIGSTOP' : 'SIGCONT'),
    reload(lines) {
      writeFileSync(configuration, plain(address, port, directory, lines));
      child?.kill('SIGHUP');
    },
    async start() {
      const [command, ...args] = [...on, 'nats-server', '-c', configuration];
      const started = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
      child = started;
      ended = new Promise((resolve) => started.once('exit', () => resolve()));
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
      for (let tries = 0; !(await answers(address, port)); tries++) {
        if (tries > 300 || started.exitCode !== null) throw new Error(`nats-server does not start: ${log}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async close() {
      if (child) await stop('SIGKILL');
      removeTree(directory);
    },
  };
  await server.start();
  return server;
}

function plain(address: string, port: number, directory: string, more: string): string {
  return `host: ${address}\nport: ${port}\njetstream { store_dir: "${directory}", max_mem: 64MB }\n${more}\n`;
}

function answers(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, address);
    // Where nobody listens, a connection can even be made with itself: it says nothing.
    socket.setTimeout(1000, () => socket.destroy());
    socket.once('data', () => {
      resolve(true);
      socket.destroy();
    });
    socket.once('error', () => resolve(false));
    socket.once('close', () => resolve(false));
  });
}
