import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ENVIRONMENT, environmentDocument, environmentText } from './environment.js';

const src = new URL('..', import.meta.url).pathname;
const code = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.endsWith('environment.ts'))
  .map((name) => readFileSync(join(src, name), 'utf8'))
  .join('\n');
const names = ENVIRONMENT.flatMap(({ variables }) => variables.map(({ name }) => name));

describe('the table of environment variables', () => {
  it('has each that the code looks at', () => {
    const read = [
      ...code.matchAll(/(?:process\.)?env\.([A-Z][A-Z_]+)/g),
      ...code.matchAll(/'((?:AZCOPY|CLFSLOAD|ACCOUNT)_[A-Z_]+)'/g),
    ];
    expect(read.length).toBeGreaterThan(15);
    for (const [, name] of read) expect(names, name).toContain(name);
  });

  it('has none that nothing looks at', () => {
    /** Node.js and its libraries look at these. */
    const elsewhere = ['NO_PROXY', 'NODE_EXTRA_CA_CERTS', 'TMPDIR', 'NO_COLOR', 'TERM'];
    for (const name of names) if (!elsewhere.includes(name)) expect(code, name).toContain(name);
    expect(new Set(names).size).toBe(names.length);
  });

  it('docs/environment.md is made from it, and the help shows it at any width', () => {
    expect(readFileSync(join(src, '../docs/environment.md'), 'utf8')).toBe(environmentDocument());
    for (const columns of [80, 120]) {
      const text = environmentText(columns);
      for (const line of text.split('\n')) expect(line.length).toBeLessThan(columns);
      for (const name of names) expect(text).toContain(`  ${name} `);
    }
  });
});
