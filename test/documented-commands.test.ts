import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { allCommands } from '../src/cli/main.js';
import { removeTree } from './support/tree.js';

const root = new URL('..', import.meta.url).pathname;
const base = mkdtempSync(join(tmpdir(), 'clfs-documented-'));
afterAll(() => removeTree(base));

const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? [`docs/${name}`] : [])),
];
/** Command lines of a document: in its blocks, and in its text between backticks. */
function commandsOf(document: string): readonly string[] {
  const text = readFileSync(join(root, document), 'utf8');
  const blocks = [...text.matchAll(/^```\w*\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block.split('\n'));
  const inline = [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(([, code]) => code);
  return [...blocks, ...inline]
    .map((line) =>
      line
        .trim()
        .replace(/^\$ /, '')
        .replace(/^(?:[A-Z_]+=(?:"[^"]*"|\S+) )+/, ''),
    )
    .filter((line) => /^(?:clfsload|azcopy (?:load )?clfs) [a-z]/.test(line));
}

describe('commands in the documents', () => {
  it('are there, with every flag that is named', async () => {
    const commands = new Map((await allCommands()).map((command) => [command.name(), command]));
    const wrong: string[] = [];
    let seen = 0;
    for (const document of documents) {
      for (const line of commandsOf(document)) {
        // What follows a pipe is another program.
        const [own] = line.split(' | ');
        const [, name] = /^(?:clfsload|azcopy clfs|azcopy(?= load)) (?:help )?(\S+)/.exec(own) ?? [];
        if (['help', 'environment', 'COMMAND', 'VERB'].includes(name)) continue;
        const command = commands.get(name);
        const known = ['--help', ...(command?.options ?? []).flatMap(({ long }) => long ?? [])];
        const flags = [...own.matchAll(/ (--[a-z][a-z0-9-]*)/g)].map(([, flag]) => flag);
        if (!command || !flags.every((flag) => known.includes(flag))) wrong.push(`${document}: ${line}`);
        seen++;
      }
    }
    expect(wrong).toEqual([]);
    expect(seen).toBeGreaterThan(80);
  });

  it('the three short starts of README run as they stand', () => {
    const source = join(base, 'project');
    mkdirSync(join(source, 'some/dir'), { recursive: true });
    writeFileSync(join(source, 'some/dir/file'), 'content');
    const container = join(base, 'container');
    const text = readFileSync(join(root, 'README.md'), 'utf8');
    const [section] = /## Three short starts\n[\s\S]*?\n## /.exec(text) ?? [''];
    const lines = [...section.matchAll(/^```\n([\s\S]*?)^```$/gm)].flatMap(([, block]) => block.trim().split('\n'));
    expect(lines.length).toBe(7);
    for (const line of lines) {
      const command = line
        .replace(/^clfsload /, `"${process.execPath}" "${join(root, 'bin/clfsload')}" `)
        .replace('"https://ACCOUNT.blob.core.windows.net/CONTAINER?SAS"', `"${container}"`)
        .replace(' CONTAINER', ` "${container}"`)
        .replace('/data/project', source)
        .replace('/var/tmp/project-load', join(base, 'state'))
        .replace('/restored', join(base, 'restored'));
      execFileSync('sh', ['-c', command], { stdio: 'pipe' });
    }
    expect(readFileSync(join(base, 'restored/some/dir/file'), 'utf8')).toBe('content');
    expect(readFileSync(join(base, 'restored-part/file'), 'utf8')).toBe('content');
  });
});
