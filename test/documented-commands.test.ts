import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { allCommands } from '../src/cli/main.js';
import { runProgram } from './support/program.js';

const root = new URL('..', import.meta.url).pathname;

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
});

describe('help', () => {
  it('fits a terminal of 80 columns, but for examples, which are pasted', async () => {
    const wide: string[] = [];
    for (const command of await allCommands()) {
      let help = '';
      command.configureOutput({
        writeOut: (text) => {
          help += text;
        },
        getOutHelpWidth: () => 80,
      });
      command.outputHelp();
      const prose = help.replace(/\nExamples:\n(?: .*\n)*/, '\n');
      wide.push(...prose.split('\n').filter((line) => line.length > 80));
    }
    wide.push(...(await runProgram('clfsload', ['help'])).stdout.split('\n').filter((line) => line.length > 80));
    expect(wide).toEqual([]);
  });
});
