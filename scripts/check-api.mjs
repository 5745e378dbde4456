// Tells whether docs/api is what the doc comments say: it is made anew and compared.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = mkdtempSync(join(tmpdir(), 'clfs-api-'));
try {
  execFileSync('npx', ['typedoc', '--out', made, '--logLevel', 'Warn'], { stdio: 'inherit' });
  for (const name of readdirSync(made)) {
    const kept = new URL(`../docs/api/${name}`, import.meta.url);
    if (readFileSync(join(made, name), 'utf8') === readFileSync(kept, 'utf8')) continue;
    console.error(`docs/api/${name} is not up to date: run "npm run docs".`);
    process.exitCode = 1;
  }
} finally {
  rmSync(made, { recursive: true, force: true });
}
