import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const GOLDEN = ['basic-lz4', 'hardlinks', 'rawname'] as const;

/** One line of a reference container's manifest. */
export interface GoldenEntry {
  readonly path: string;
  readonly path_hex: string;
  readonly sha256?: string;
  readonly target_hex?: string;
  readonly [field: string]: unknown;
}

/** Unpacks a reference container; `remove` deletes it again. */
export function unpackGolden(name: string): {
  blobs: string;
  manifestText: string;
  manifest: readonly GoldenEntry[];
  lineOf(pathHex: string): string;
  remove(): void;
} {
  const directory = mkdtempSync(join(tmpdir(), 'clfs-golden-'));
  execFileSync('tar', ['xzf', new URL(`../fixtures/${name}.tar.gz`, import.meta.url).pathname, '-C', directory]);
  const manifestText = readFileSync(join(directory, 'manifest.jsonl'), 'utf8');
  const manifest = manifestText
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as GoldenEntry);
  const lines = new Map(manifestText.split('\n').map((line) => [/"path_hex": ?"([0-9a-f]*)"/.exec(line)?.[1], line]));
  const lineOf = (pathHex: string) => lines.get(pathHex) ?? '';
  return {
    blobs: join(directory, 'blobs'),
    manifestText,
    manifest,
    lineOf,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
