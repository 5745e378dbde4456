import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { load } from '../src/load/load.js';
import type { LoadOptions } from '../src/load/options.js';
import { openPosixSource } from '../src/source/posix-source.js';
import { parseSelection, type Selection } from '../src/source/selection.js';
import { sizeTree } from '../src/worker/size-tree.js';
import { findingsOf, SMALL } from './support/check.js';
import { runProgram } from './support/program.js';
import { isRoot, makeTree, removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-choice-'));
afterAll(() => removeTree(base));
let number = 0;
const fresh = (name: string) => join(base, `${name}-${++number}`);

function makeFiles(root: string, files: readonly string[]): void {
  for (const file of files) {
    mkdirSync(join(root, file, '..'), { recursive: true });
    writeFileSync(join(root, file), file);
  }
}

async function pathsLoaded(
  source: string,
  options: Partial<LoadOptions>,
): Promise<{ paths: string[]; excluded: number }> {
  const container = fresh('container');
  mkdirSync(container);
  const summary = await load({
    source,
    destination: container,
    statePath: fresh('state'),
    ...options,
    internals: { container: await openLocalContainer(container) },
  });
  expect(summary.status).toBe('Completed');
  expect(await findingsOf(await openLocalContainer(container))).toEqual([]);
  const found = await runProgram('clfsload', ['find', container]);
  return { paths: found.stdout.trim().split('\n').sort(), excluded: summary.progress.filesExcluded };
}

describe('what is left out', () => {
  const source = fresh('source');
  makeFiles(source, [
    'a.o',
    'a.c',
    'logs/x',
    'logs/deep/y',
    'logs2/z',
    'src/a.o',
    'src/logs/kept',
    'src/cache.d/1',
    'src/core.12',
    'B.O',
    'src/{a,b}',
  ]);

  it('--exclude-path: whole components below the source', async () => {
    const { paths, excluded } = await pathsLoaded(source, {
      selection: parseSelection('logs;./src/cache.d/;src/none', '', false),
    });
    expect(paths).toEqual(
      [
        '.',
        'B.O',
        'a.c',
        'a.o',
        'logs2',
        'logs2/z',
        'src',
        'src/a.o',
        'src/core.12',
        'src/logs',
        'src/logs/kept',
        'src/{a,b}',
      ].sort(),
    );
    expect(excluded).toBe(2);
  });

  it('--exclude-pattern: names, of directories too', async () => {
    const { paths, excluded } = await pathsLoaded(source, {
      selection: parseSelection('', '*.o;core.??;*.d;logs;{a,b}', false),
    });
    expect(paths).toEqual(['.', 'B.O', 'a.c', 'logs2', 'logs2/z', 'src'].sort());
    expect(excluded).toBe(7);
  });

  it('is recorded: a job goes on with the same choice only, and verify takes it too', async () => {
    const container = fresh('container');
    const statePath = fresh('state');
    const flags = ['--exclude-path=logs', '--exclude-pattern=*.o;core.*'];
    const run = await runProgram('clfsload', ['load', source, container, `--state-path=${statePath}`, ...flags]);
    expect(run.stdout).toContain(
      'INFO: 4 entries were left out, as the flags say; what is below them is not counted.\n',
    );
    const status = await runProgram('clfsload', ['status', `--state-path=${statePath}`]);
    expect(status.stdout).toContain('Left out:  4 entries, by --exclude-path="logs" --exclude-pattern="*.o;core.*"\n');
    const other = await runProgram('clfsload', [
      'load',
      source,
      container,
      `--state-path=${statePath}`,
      '--new-session=false',
      '--exclude-path=logs2',
    ]);
    expect(other.stdout).toContain(
      'was started with the choice --exclude-path="logs" --exclude-pattern="*.o;core.*", not --exclude-path="logs2"',
    );
    expect(other.code).toBe(1);
    expect((await runProgram('clfsload', ['verify', source, container, '--content', ...flags])).code).toBe(0);
    const all = await runProgram('clfsload', ['verify', source, container]);
    expect(all.code).toBe(1);
    expect(all.stdout).toContain('+ logs\n');
  });

  it('what cannot be meant is refused', () => {
    expect(() => parseSelection('/absolute', '', false)).toThrow(/paths below the source/);
    expect(() => parseSelection('a/../b', '', false)).toThrow(/paths below the source/);
    expect(() => parseSelection('.', '', false)).toThrow(/paths below the source/);
    expect(() => parseSelection('', 'dir/*.o', false)).toThrow(/patterns for names/);
  });

  it('--one-file-system leaves mount points empty', async (context) => {
    const mounted = join(source, 'src', 'mounted');
    mkdirSync(mounted);
    try {
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', mounted], { stdio: 'ignore' });
    } catch {
      context.skip('mounting is not allowed here');
    }
    try {
      makeFiles(mounted, ['inside', 'sub/inside']);
      const { paths, excluded } = await pathsLoaded(source, { selection: parseSelection('', '', true) });
      expect(paths).toContain('src/mounted');
      expect(paths.filter((path) => path.startsWith('src/mounted/'))).toEqual([]);
      expect(excluded).toBe(2);
    } finally {
      execFileSync('umount', [mounted]);
    }
  });
});

describe('a dry run', () => {
  class CountingContainer extends MemoryContainer {
    puts = 0;
    override put(...args: Parameters<MemoryContainer['put']>): Promise<void> {
      this.puts++;
      return super.put(...args);
    }
  }

  it.each([true, false])('foretells the objects and requests of a load, links kept: %s', async (preserveHardLinks) => {
    const source = fresh('tree');
    await makeTree(source, { bulk: 120, sizes: [0, 1, 599, 600, 601, 5000, 40_000] });
    const container = new CountingContainer();
    const summary = await load({
      source,
      destination: 'memory',
      statePath: fresh('state'),
      preserveHardLinks,
      internals: { container, geometry: SMALL },
    });
    expect(summary.status).toBe('Completed');
    const tree = openPosixSource(Buffer.from(source));
    const size = await sizeTree(tree, { preserveHardLinks, geometry: SMALL });
    tree.close();
    expect(size.entries).toBe(summary.progress.filesDone);
    expect(size.bytes).toBe(summary.progress.bytesDone);
    // The bucket object is put twice, and the log.
    expect(size.objects).toBe(container.puts - 3);
    expect(size.unreadable).toBe(0);
    expect(size.linkGroups > 0).toBe(preserveHardLinks);
    expect(size.largest[0].entries).toBe(120);
  });

  it('writes nothing, and tells what it found as text and JSON', async () => {
    const source = fresh('small');
    makeFiles(source, ['a.text', 'dir/b', 'dir/c.o']);
    const state = fresh('never');
    const args = [
      'load',
      source,
      fresh('never'),
      `--state-path=${state}`,
      '--dry-run',
      '--exclude-pattern=*.o',
      '--cap-mbps=100',
    ];
    const text = await runProgram('clfsload', args);
    expect(text.stdout).toBe(
      [
        'This was a dry run: nothing has been written.',
        '',
        'Entries: 4 (2 regular files, 2 directories)',
        'Bytes of file data: 11',
        'Objects to be written: 4',
        'PUT requests: 7',
        'Hard-link groups: 0 (0 names)',
        'Unreadable entries: 0',
        'Excluded entries: 1',
        'Entries with POSIX ACLs, which the format cannot hold: 0',
        'Entries with extended attributes, which it cannot hold either: 0',
        'Files that HSM has released, and that a load recalls: 0',
        'Time at 100 Mb/s and 1000 requests a second, uncompressed: 1 s',
        'Largest directories:',
        '  2 entries  .',
        '  1 entry  dir',
        '',
      ].join('\n'),
    );
    expect(text.code).toBe(0);
    const json = await runProgram('clfsload', [...args, '--output-type=json']);
    const { MessageType, MessageContent } = JSON.parse(json.stdout) as { MessageType: string; MessageContent: string };
    expect(MessageType).toBe('Info');
    expect(JSON.parse(MessageContent)).toMatchObject({
      entries: 4,
      objects: 4,
      put_requests: 7,
      excluded: 1,
      entries_by_type: { regular: 2, directory: 2 },
    });
    expect(() => readFileSync(state)).toThrow(/ENOENT/);
  });

  it('counts what cannot be read', async () => {
    if (!isRoot) return;
    const source = fresh('unreadable');
    makeFiles(source, ['open/a', 'open/locked', 'shut/b']);
    execFileSync('chmod', ['700', join(source, 'shut')]);
    execFileSync('chmod', ['600', join(source, 'open/locked')]);
    execFileSync('chmod', ['755', base, source]);
    const program = new URL('../bin/clfsload', import.meta.url).pathname;
    const output = execFileSync(
      'setpriv',
      ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program, 'load', source, 'x', '--dry-run'],
      {
        encoding: 'utf8',
      },
    );
    expect(output).toMatch(
      /Unreadable entries: 2\n {2}(open\/locked|shut): .*permission denied.*\n {2}(open\/locked|shut): /,
    );
  });

  it('counts hard links that would not be kept, and says which choice leaves nothing out', async () => {
    const source = fresh('links');
    makeFiles(source, ['a', 'b']);
    linkSync(join(source, 'a'), join(source, 'c'));
    const args = ['load', source, '--dry-run', '--exclude-path=nosuch;b', '--exclude-pattern=['];
    const { stdout } = await runProgram('clfsload', args);
    expect(stdout).toContain('Entries: 3 (2 regular files, 1 directory)\n');
    expect(stdout).toContain(
      'Hard-link groups: 1 (2 names; --preserve-hardlinks keeps them, else each name becomes a file of its own)\n',
    );
    expect(stdout).toContain(
      'Excluded entries: 1\n  nothing in the source matches --exclude-path="nosuch"\n  nothing in the source matches --exclude-pattern="[", in which a [ has no ]\n',
    );
    const json = await runProgram('clfsload', [...args, '--output-type=json']);
    const { MessageContent } = JSON.parse(json.stdout.trim().split('\n').at(-1) ?? '') as { MessageContent: string };
    expect(JSON.parse(MessageContent)).toMatchObject({
      hard_link_groups: 1,
      hard_link_names: 2,
      unmatched: ['--exclude-path="nosuch"', '--exclude-pattern="["'],
      unreadable_first: [],
      requests_per_second: 1000,
    });
  });
});

it('the sizing pass beside a load gives the total before everything is found', async () => {
  const source = fresh('sized');
  makeFiles(
    source,
    Array.from({ length: 300 }, (_, index) => `d${index % 10}/f${index}`),
  );
  const everything: Selection = { excludePaths: [], excludePatterns: [], oneFileSystem: false };
  const seen: number[] = [];
  const summary = await load({
    source,
    destination: 'memory',
    internals: { container: new MemoryContainer() },
    statePath: fresh('state'),
    selection: everything,
    knownSize: { entries: 5000, bytes: 1_000_000 },
    onStart: (snapshot) => seen.push(snapshot().filesTotal, snapshot().bytesTotal),
  });
  expect(seen).toEqual([5000, 1_000_000]);
  // What was foretold wrongly does not stay.
  expect(summary.progress.filesTotal).toBe(311);
});
