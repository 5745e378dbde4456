import { linkSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram } from './support/program.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-json-'));
const source = join(base, 'source');
const container = join(base, 'container');
const state = join(base, 'state');
const exported = join(base, 'export-state');
const schema = JSON.parse(readFileSync(new URL('../docs/output.schema.json', import.meta.url), 'utf8')) as {
  $defs: Record<string, object>;
};
const ajv = new Ajv2020({ strict: false });
ajv.addSchema(schema, 'output');

beforeAll(async () => {
  mkdirSync(join(source, 'd'), { recursive: true });
  writeFileSync(join(source, 'large'), someBytes(3 * 2 ** 20, 1));
  writeFileSync(join(source, 'd/a'), 'a');
  linkSync(join(source, 'd/a'), join(source, 'd/b'));
  symlinkSync('d/a', join(source, 'link'));
  await loadWhole(source, container, state, '--preserve-hardlinks');
});
afterAll(() => removeTree(base));

/** Every key of every object in a value. */
function* keysIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, field] of Object.entries(value)) {
    if (!Array.isArray(value)) yield key;
    yield* keysIn(field);
  }
}

function expectLines(stdout: string, name: string): void {
  const isLine = ajv.compile({ $ref: `output#/$defs/${name}` });
  const lines = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    expect(isLine(line), JSON.stringify([line, isLine.errors])).toBe(true);
    for (const key of keysIn(line)) expect(key).toMatch(/^[a-z0-9_]+$/);
  }
}

describe('every verb, with --json', () => {
  it.each([
    ['EntryLine', ['ls', '-R', container]],
    ['EntryLine', ['find', container]],
    ['StatLine', ['stat', container, 'd/a', 'large', 'link', '.']],
    ['DuLine', ['du', container]],
    ['InfoLine', ['info', container]],
    ['ManifestLine', ['manifest', '--hash', container]],
    ['VerifyLine', ['verify', source, container, '--content']],
    ['FsckLine', ['fsck', container, '--content']],
    ['ExportDryRunLine', ['export', container, join(base, 'out'), '--dry-run']],
    ['ExportLine', ['export', container, join(base, 'out'), `--state-path=${exported}`]],
    ['TarLine', ['export', container, '--tar', join(base, 'out.tar')]],
    ['StatusLine', ['status', state]],
    ['ExportStatusLine', ['status', exported]],
    ['PageLine', ['page', state, `--report=${join(base, 'report.html')}`]],
  ])('is as its schema %s says: %j', async (name, args) => {
    const { stdout, code } = await runProgram('clfsload', [...args, '--json']);
    expect(code).toBe(0);
    expectLines(stdout, name);
  });

  it('differences and failures too', async () => {
    const other = join(base, 'other');
    mkdirSync(other);
    expectLines((await runProgram('clfsload', ['verify', other, container, '--json'])).stdout, 'VerifyLine');
    writeFileSync(join(base, 'taken'), '');
    mkdirSync(join(base, 'kept/large'), { recursive: true });
    const run = await runProgram('clfsload', ['export', container, join(base, 'kept'), '--overwrite=never', '--json']);
    expectLines(run.stdout, 'ExportLine');
  });

  it('errors too', async () => {
    for (const args of [
      ['ls', join(base, 'no-container')],
      ['stat', container],
      ['status', '--state-path', join(base, 'nowhere')],
      ['find', container, '--newer=soon'],
      ['fsck', container, '--threads=2'],
      ['manifest', container, '--threads=2'],
      ['nosuch', container],
    ]) {
      const { stdout, stderr, code } = await runProgram('clfsload', [...args, '--json']);
      expect(code, args.join(' ')).toBe(2);
      expect(stderr).not.toBe('');
      expectLines(stdout, 'ErrorLine');
    }
  });

  it('errors beside the bytes of files, which are not to have them', async () => {
    for (const [content, ...args] of [
      ['cat', container, 'nowhere'],
      ['cat', container],
      ['cat', container, 'nowhere', '--no-such-flag'],
      ['export', container, 'nowhere', '--tar', '-'],
      ['export', container, '--tar', '-', '--no-such-flag'],
      ['export', container, '--tar', '-', '--sparse'],
    ]) {
      const { stdout, stderr, code } = await runProgram('clfsload', [content, ...args, '--json']);
      expect(code, args.join(' ')).toBe(2);
      expect(stdout).toBe('');
      expectLines(stderr.slice(0, stderr.indexOf('\n') + 1), 'ErrorLine');
    }
  });

  it('a dry run of a load', async () => {
    const { stdout } = await runProgram('clfsload', ['load', source, 'x', '--dry-run', '--output-type=json']);
    const line = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { MessageContent: string };
    const isDryRun = ajv.compile({ $ref: 'output#/$defs/DryRun' });
    expect(isDryRun(JSON.parse(line.MessageContent)), JSON.stringify(isDryRun.errors)).toBe(true);
  });
});
