import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Azurite, freePort, startAzurite } from './support/azurite.js';
import { HAS_NATS } from './support/nats.js';
import { removeTree } from './support/tree.js';

const root = new URL('..', import.meta.url).pathname;
const base = mkdtempSync(join(tmpdir(), 'clfs-documents-'));

/** Commands that are not run here, and why. Each of them is to be there. */
const NOT_RUN: readonly { readonly document: string; readonly begins: string; readonly why: string }[] = [
  {
    document: 'README.md',
    begins: 'npm ci',
    why: 'it installs for all of the machine; package.test.ts installs the package',
  },
  { document: 'README.md', begins: './demo.sh', why: 'it installs; its own commands stand below it, and are run' },
  { document: 'README.md', begins: './test.sh', why: 'it runs this test' },
  { document: 'README.md', begins: 'AZCOPY_AUTO_LOGIN_TYPE=AZCLI', why: 'it needs a login; identity.test.ts has one' },
  {
    document: 'docs/commands.md',
    begins: 'AZCOPY_AUTO_LOGIN_TYPE=AZCLI',
    why: 'it needs a login; identity.test.ts has one',
  },
  {
    document: 'docs/commands.md',
    begins: 'CLFS_URL="https://[account].blob.core.windows.net/[container]?[SAS]" clfsload worker --join=tls:',
    why: 'it needs a server with certificates; workers-secure.test.ts has one',
  },
  {
    document: 'docs/migrating.md',
    begins: 'CLFSLoad.py STATE_PATH',
    why: 'it shows what the arguments are; extension.test.ts gives them',
  },
];

/** Programs whose commands are run. */
const COMMAND =
  /^(?:\$ )?((?:[A-Z_]+=(?:"[^"]*"|\S+) )*(?:clfsload|azcopy|CLFSLoad\.py|nats-server|npm|\.\/\w+\.sh)\b.*)$/;

interface DocumentedCommand {
  readonly line: number;
  readonly text: string;
}

/** Command lines in the blocks of a document; what only shows a form, such as `clfsload ls [flags]`, is none. */
function commandsOf(document: string): readonly DocumentedCommand[] {
  const lines = readFileSync(join(root, document), 'utf8').split('\n');
  let inBlock = false;
  return lines.flatMap((whole, at) => {
    if (whole.startsWith('```')) inBlock = !inBlock;
    const [, command] = COMMAND.exec(whole.trim()) ?? [];
    if (!inBlock || command === undefined || /\[(?:flags|options)\]/.test(command)) return [];
    return [{ line: at + 1, text: command.replace(/ {2,}#.*$/, '') }];
  });
}

let azurite: Azurite;
let natsPort: number;
let count = 0;

/** What the commands of a document work on: a tree, and jobs that loaded it into a service and into a directory. */
class World {
  readonly directory: string;
  readonly #background: { readonly child: ChildProcess; readonly done: Promise<number | null>; output: string }[] = [];
  #url = '';

  constructor() {
    this.directory = join(base, `world-${count++}`);
    for (const name of ['source/some/dir', 'home/.zfunc', 'home/.config/fish/completions', 'completions', 'bin'])
      mkdirSync(this.path(name), { recursive: true });
    for (const name of ['some/file', 'some/dir/a.dat', 'some/dir/b.csv', 'c.o'])
      writeFileSync(this.path(`source/${name}`), `content of ${name}\n`.repeat(100));
    // "ssh host …" does here what it would do there.
    writeFileSync(this.path('bin/ssh'), '#!/bin/sh\nshift\nmkdir -p "$RESTORED"\nexec "$@"\n');
    chmodSync(this.path('bin/ssh'), 0o755);
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Loads the tree into both places, and makes what some of the commands begin with. */
  async prepare(): Promise<void> {
    await this.run('clfsload load /data/project CONTAINER --state-path=/path/to/state');
    await this.run('clfsload load /data/project "https://…" --state-path=/path/to/state');
    await this.run('clfsload manifest --hash CONTAINER > tree.jsonl');
    await this.run('clfsload export CONTAINER /restored');
  }

  /** Runs a command as it stands in a document, but for the names of places. @returns exit code and all that was said */
  async run(text: string): Promise<{ readonly code: number | null; readonly output: string }> {
    const isService = text.includes('https://');
    if (/ load /.test(text) && !/--dry-run|--new-session=false/.test(text)) await this.#empty(isService);
    const command = this.#placed(text, isService);
    const child = spawn('bash', ['-o', 'pipefail', '-c', command], {
      cwd: this.directory,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        HOME: this.path('home'),
        RESTORED: this.path('restored'),
        // A worker's way into the container; the other one is a file.
        CLFS_URL: this.#url,
        PATH: `${this.path('bin')}:${join(root, 'bin')}:${process.env.PATH}`,
      },
      detached: true,
    });
    const running = { child, output: '', done: new Promise<number | null>((resolve) => child.on('close', resolve)) };
    const heard = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', (more: string) => {
          running.output += more;
          resolve();
        });
    });
    if (!/^(?:nats-server|clfsload worker|clfsload page (?!.*--report))/.test(text))
      return { code: await running.done, output: running.output };
    // It goes on until it is stopped; the commands that follow need it.
    this.#background.push(running);
    await Promise.race([heard, running.done]);
    if (text.startsWith('nats-server')) await answers(natsPort);
    return { code: child.exitCode ?? 0, output: running.output };
  }

  /** Ends what runs in the background, the latest first. @returns those that did not end well, with what they said */
  async end(): Promise<readonly string[]> {
    const bad: string[] = [];
    for (const { child, done, output } of this.#background.splice(0).reverse()) {
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      const code = await done;
      // A server that a signal ends has done so.
      if (code !== 0 && !output.includes('nats-server')) bad.push(`${code}: ${output}`);
    }
    return bad;
  }

  async #empty(isService: boolean): Promise<void> {
    rmSync(this.path(isService ? 'state-service' : 'state-local'), { recursive: true, force: true });
    if (isService) {
      this.#url = await azurite.createContainer(`documents-${count++}`);
      writeFileSync(this.path('container-url'), this.#url);
    } else rmSync(this.path('container'), { recursive: true, force: true });
  }

  #placed(text: string, isService: boolean): string {
    const state = this.path(isService ? 'state-service' : 'state-local');
    const places: readonly (readonly [RegExp, string])[] = [
      [
        /https:\/\/(?:…|ACCOUNT\.blob\.core\.windows\.net\/CONTAINER\?SAS|\[account\]\.blob\.core\.windows\.net\/\[container\]\?\[SAS\])/g,
        this.#url,
      ],
      [/\/tmp\/clfsload-demo-\w+\/sample|\/data\/project|\/path\/to\/(?:dir|source)\b/g, this.path('source')],
      [/\/tmp\/clfsload-demo-\w+\/state|\/var\/tmp\/project-load|\/path\/to\/state(?:\/path)?|(?<==)DIR\b/g, state],
      [
        /\/tmp\/clfsload-demo-\w+\/container|\/path\/to\/container|\/mnt\/disk\/container|(?<= )CONTAINER\b/g,
        this.path('container'),
      ],
      [/\/restored\b/g, this.path('restored')],
      [/\/path\/to\/(directory|file)\b/g, this.path('target-$1')],
      [/\/etc\/bash_completion\.d\//g, this.path('completions/')],
      [/nats:\/\/(?:HEAD|head):4222/g, `nats://127.0.0.1:${natsPort}`],
      [/nats-server -js/g, `nats-server -js -a 127.0.0.1 -p ${natsPort} -sd ${this.path('nats')}`],
      [/\/etc\/clfsload\/container\b/g, this.path('container-url')],
      [/:8080\b/g, ':0'],
    ];
    const placed = places.reduce((result, [from, to]) => result.replace(from, to), text);
    // An export goes into a directory of its own, whatever another one left.
    const [, target] = / export .*? (\S*\/(?:target-\w+|restored(?:-part)?))(?: |$)/.exec(placed) ?? [];
    if (target) rmSync(target, { recursive: true, force: true });
    return placed;
  }
}

async function answers(port: number): Promise<void> {
  await expect
    .poll(() => spawnSync('bash', ['-c', `exec 3<>/dev/tcp/127.0.0.1/${port}`]).status, { timeout: 20_000 })
    .toBe(0);
}

beforeAll(async () => {
  azurite = await startAzurite();
  natsPort = await freePort();
});
afterAll(async () => {
  await azurite.stop();
  removeTree(base);
});

const documents = [
  'README.md',
  'CONTRIBUTING.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];
const shown = documents
  .map((document) => ({ document, commands: commandsOf(document) }))
  .filter(({ commands }) => commands.length > 0);

describe('the commands in the blocks of the documents', () => {
  it.each(shown)(
    '$document',
    async ({ document, commands }) => {
      const world = new World();
      await world.prepare();
      const left = NOT_RUN.filter((each) => each.document === document);
      const seen = new Set<(typeof NOT_RUN)[number]>();
      const failed: string[] = [];
      for (const { line, text } of commands) {
        const reason = left.find(({ begins }) => text.startsWith(begins));
        if (reason) seen.add(reason);
        // Those of workers need their server.
        if (reason || (!HAS_NATS && /nats/.test(text))) continue;
        const { code, output } = await world.run(text);
        if (code !== 0) failed.push(`${document}:${line}: ${text}\nended with ${code}: ${output}`);
        // Where it is no restored tree, a command has said that it restored one.
        if (text === 'clfsload export CONTAINER /restored')
          expect(readFileSync(world.path('restored/some/file'), 'utf8')).toContain('content of some/file');
      }
      failed.push(...(await world.end()));
      expect(failed).toEqual([]);
      // None stays in the table when its document has changed.
      expect([...seen]).toEqual(left);
    },
    240_000,
  );

  it.skipIf(!HAS_NATS)('start workers by systemd and Kubernetes, as files of several-machines.md say', async () => {
    const text = readFileSync(join(root, 'docs/several-machines.md'), 'utf8');
    const [, unit] = /^```\n(\[Unit\]\n[\s\S]*?)^```$/m.exec(text) ?? [];
    const [, manifest] = /^```yaml\n([\s\S]*?)^```$/m.exec(text) ?? [];
    expect(unit).toMatch(/^\[Install\]\nWantedBy=multi-user\.target$/m);
    const [, exec] = /^ExecStart=\/usr\/local\/bin\/(.*)$/m.exec(unit ?? '') ?? [];
    const [, words] = /^ +command: (\[.*\])$/m.exec(manifest ?? '') ?? [];
    const world = new World();
    await world.prepare();
    await world.run('nats-server -js');
    for (const command of [exec, (JSON.parse(words ?? '[]') as string[]).join(' ')]) {
      expect(command).toMatch(/^clfsload worker /);
      // That server has no certificate.
      const { output } = await world.run(command.replace('tls://', 'nats://'));
      expect(output).toContain('waiting for a job');
    }
    expect(await world.end()).toEqual([]);
    // What a volume is mounted as is a volume.
    const names = (pattern: RegExp) => [...(manifest ?? '').matchAll(pattern)].map(([, name]) => name).sort();
    expect(names(/\{ name: (\w+), mountPath/g)).toEqual(names(/^ {8}- name: (source|secret)$/gm));
  });

  it('are many', () => {
    expect(shown.map(({ document }) => document)).toEqual(
      expect.arrayContaining([
        'README.md',
        'docs/commands.md',
        'docs/migrating.md',
        'docs/page.md',
        'docs/several-machines.md',
      ]),
    );
    expect(shown.reduce((sum, { commands }) => sum + commands.length, 0)).toBeGreaterThan(60);
  });
});
