import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface FailureLine {
  readonly path_hex: string;
  readonly reason: string;
}

/** Paths below the root that the reports of a job name, and why they failed. */
export function failuresOf(statePath: string, source: string): Map<string, string> {
  const file = join(statePath, 'failures.jsonl');
  if (!existsSync(file)) return new Map();
  const lines = readFileSync(file, 'utf8').split('\n');
  const failures = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as FailureLine);
  const prefix = `${source}/`.length;
  return new Map(
    failures.map(({ path_hex, reason }) => [Buffer.from(path_hex, 'hex').toString('latin1').slice(prefix), reason]),
  );
}

/** Links of which the log of a job says that they became copies of their own. */
export function copiesOf(statePath: string): Set<string> {
  const file = join(statePath, 'clfsload.log');
  if (!existsSync(file)) return new Set();
  const paths = readFileSync(file, 'utf8').matchAll(
    / WARNING (.*): (?:it cannot be shown|more than) .*becomes a copy of its own$/gm,
  );
  return new Set([...paths].map(([, path]) => path));
}
