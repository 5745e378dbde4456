import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from './support/tree.js';

const root = new URL('..', import.meta.url).pathname;
const base = mkdtempSync(join(tmpdir(), 'clfs-package-'));
const home = join(base, 'home');
const run = (command: string, args: readonly string[], cwd = home) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const program = (name: string) => join(home, 'node_modules/.bin', name);
let tarball: string;
/** Node itself, as a package of the registry. */
const NODE_PACKAGE = `node-linux-${process.arch}`;

/** The package as it would be published, installed in an empty folder. The build must be there; npm needs its registry. */
beforeAll(() => {
  mkdirSync(join(home, 'source'), { recursive: true });
  writeFileSync(join(home, 'source/file'), 'content\n');
  run(process.execPath, [join(root, 'scripts/generate-man.mjs')]);
  const [{ filename }] = JSON.parse(
    run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', base], root),
  ) as { filename: string }[];
  tarball = join(base, filename);
  writeFileSync(join(home, 'package.json'), '{"private":true,"type":"module"}');
  run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball]);
});
afterAll(() => removeTree(base));

describe('the package', () => {
  it('works from an empty folder, without libraries of Azure', () => {
    const installed = readdirSync(join(home, 'node_modules'));
    expect(installed).not.toContain('@azure');
    expect(run(program('clfsload'), ['--version'])).toMatch(/^clfsload \d/);
    const load = run(program('azcopy'), ['load', 'clfs', 'source', 'container', '--state-path=state']);
    expect(load).toContain('Final Job Status: Completed');
    expect(run(program('clfsload'), ['verify', 'source', 'container', '--content'])).toContain('2 same, 0 different');
    expect(run(program('CLFSLoad.py'), ['--version'])).toMatch(/^\d/);
    expect(run(program('clfsload'), ['export', 'container', 'restored'])).toContain('2 entries written');
    expect(readFileSync(join(home, 'restored/file'), 'utf8')).toBe('content\n');
    expect(readFileSync(join(home, 'state/report.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('says what is missing where a login needs a library', () => {
    try {
      execFileSync(program('clfsload'), ['ls', 'https://account.blob.core.windows.net/container'], {
        cwd: home,
        env: { ...process.env, AZCOPY_AUTO_LOGIN_TYPE: 'AZCLI' },
        stdio: 'pipe',
      });
      expect.unreachable();
    } catch (error) {
      expect(String((error as { stderr: Buffer }).stderr)).toContain('the package @azure/identity is needed');
    }
  });

  it('has license, manual pages and documents, and no test', () => {
    const files = run('tar', ['tzf', tarball]).split('\n');
    for (const name of [
      'LICENSE',
      'SECURITY.md',
      'README.md',
      'docs/errors.md',
      'docs/page.md',
      'examples/load.ts',
      'dist/page/page.html',
      'dist/programs/page-thread-entry.js',
    ])
      expect(files).toContain(`package/${name}`);
    const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
    expect(files.filter((name) => /^package\/man\/./.test(name)).sort()).toEqual(
      man.map((name) => `package/${name}`).sort(),
    );
    const isSource = (name: string) => /\.test\.|\.ts$/.test(name) && !name.endsWith('.d.ts');
    expect(files.filter((name) => isSource(name) && !name.startsWith('package/examples/'))).toEqual([]);
  });

  it('is installed for all, with its manual pages where man looks', () => {
    const place = join(base, 'global');
    run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '-g', '--prefix', place, tarball]);
    expect(run(join(place, 'bin/clfsload'), ['--version'])).toMatch(/^clfsload \d/);
    for (const page of ['clfsload.1', 'clfsload-load.1', 'CLFSLoad.py.1'])
      expect(readFileSync(join(place, 'share/man/man1', page), 'utf8')).toContain('.SH NAME');
  });

  it('is as publint wants it', async () => {
    const bytes = readFileSync(tarball);
    const pack = { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer };
    expect((await publint({ pack, level: 'suggestion', strict: true })).messages).toEqual([]);
  });

  it('has the types that each way of resolving it asks for, as attw sees it', async () => {
    const found = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
    const problems = found.types === false ? ['no types'] : found.problems.map(({ kind }) => kind);
    // A package of ES modules alone: `require` of it is an error before Node 22, and meant to be.
    expect(problems.filter((kind) => kind !== 'CJSResolvesToESM')).toEqual([]);
  });

  it('the examples compile against it, and run', () => {
    for (const name of ['load', 'read']) copyFileSync(join(root, `examples/${name}.ts`), join(home, `${name}.ts`));
    const options = ['--module', 'nodenext', '--target', 'es2022', '--strict', '--skipLibCheck', '--types', 'node'];
    const types = ['--typeRoots', join(root, 'node_modules/@types')];
    run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options, ...types, 'load.ts', 'read.ts']);
    expect(run(process.execPath, ['load.js', 'source', 'by-example', 'its-state'])).toBe(
      'Completed: 2 entries, 8 bytes\n',
    );
    expect(run(process.execPath, ['read.js', 'by-example'])).toBe('8\tfile\n');
    expect(run(process.execPath, ['read.js', 'by-example', 'file'])).toBe('content\n');
  });
});

describe.each(['22.23.5', '24.22.3'])('with Node %s, the package', (version) => {
  it('loads, verifies, goes on and exports', () => {
    const node = join(base, `node-${version}`);
    run('npm', [
      'install',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      '--prefix',
      node,
      `${NODE_PACKAGE}@${version}`,
    ]);
    const place = join(node, 'place');
    mkdirSync(place);
    const env = { ...process.env, PATH: `${join(node, 'node_modules', NODE_PACKAGE, 'bin')}:${process.env.PATH}` };
    const runWith = (...[name, ...args]: string[]) =>
      execFileSync(program(name), args, { cwd: place, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    const source = join(home, 'source');
    expect(runWith('azcopy', 'load', 'clfs', source, 'container', '--state-path=state')).toContain('Status: Completed');
    expect(readFileSync(join(place, 'state/clfsload.log'), 'utf8')).toContain(`Node v${version}`);
    expect(runWith('clfsload', 'resume', 'state')).toContain('Completed');
    expect(runWith('clfsload', 'verify', source, 'container', '--content')).toContain('2 same, 0 different');
    expect(runWith('clfsload', 'export', 'container', 'restored')).toContain('2 entries written');
    expect(readFileSync(join(place, 'restored/file'), 'utf8')).toBe('content\n');
  });
});
