import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = new URL('..', import.meta.url).pathname;
const files = ['src', 'test'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
);

/** Numbers of the sections of a document: `2`, `6.1`. */
function sectionsOf(document: string): ReadonlySet<string> {
  return new Set(
    Array.from(
      readFileSync(join(root, document), 'utf8').matchAll(/^##+ (\d+(?:\.\d+)?)\.? /gm),
      ([, number]) => number,
    ),
  );
}

describe('the documents', () => {
  it('have every section that the code cites', () => {
    const cited = files.flatMap((file) =>
      Array.from(
        readFileSync(join(root, file), 'utf8').matchAll(/Source: (\w\S*\.md)((?:,? \d[\d.]*)*)/g),
        ([, document, numbers]) => ({
          file,
          document,
          sections: numbers.match(/\d+(?:\.\d+)?/g) ?? [],
        }),
      ),
    );
    expect(cited.length).toBeGreaterThan(40);
    const wrong = cited.filter(({ document, sections }) => {
      if (!document.startsWith('docs/') || !existsSync(join(root, document)) || sections.length === 0) return true;
      const known = sectionsOf(document);
      return sections.some((section) => !known.has(section));
    });
    expect(wrong).toEqual([]);
  });

  it('are there where the code, or another of them, names them', () => {
    const texts = [
      ...files,
      'README.md',
      'CONTRIBUTING.md',
      ...readdirSync(join(root, 'docs')).flatMap((name) => (name.endsWith('.md') ? `docs/${name}` : [])),
    ];
    const named = texts.flatMap((file) =>
      Array.from(readFileSync(join(root, file), 'utf8').matchAll(/(?<![\w/])docs\/[\w./-]*\w/g), ([document]) => ({
        file,
        document,
      })),
    );
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(({ document }) => !existsSync(join(root, document)))).toEqual([]);
  });

  it('docs/format.md refers to sections that it has', () => {
    const text = readFileSync(join(root, 'docs/format.md'), 'utf8');
    const known = sectionsOf('docs/format.md');
    const references = Array.from(
      text.matchAll(/\((\d+(?:\.\d)?)\)|\| (\d\.\d) \|/g),
      ([, inText, inTable]) => inText ?? inTable,
    );
    expect(references.length).toBeGreaterThan(15);
    expect(references.filter((section) => !known.has(section))).toEqual([]);
  });
});
