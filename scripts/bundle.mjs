// Joins what tsc has made into a few files for the programs in bin/: half of a small load's time went into finding and
// loading some 250 modules, in each thread. The library (dist/index.js) stays as tsc has made it. What is native, or
// seldom needed and large, stays outside.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';

const dist = new URL('../dist/', import.meta.url).pathname;
rmSync(`${dist}programs`, { recursive: true, force: true });
const common = {
  outdir: `${dist}programs`,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['koffi', '@photostructure/sqlite', 'lz4-napi', '@azure/*'],
  // CommonJS parts ask for Node's own modules by require.
  banner: {
    js: "import { createRequire as createRequireForBundle } from 'node:module';\nconst require = createRequireForBundle(import.meta.url);",
  },
  legalComments: 'none',
  logLevel: 'warning',
};
// In parts, of which each program and verb loads what it needs.
await build({
  ...common,
  entryPoints: { main: `${dist}cli/main.js`, extension: `${dist}cli/extension.js` },
  splitting: true,
});
// What a thread runs is one file each: parts that they shared with the programs would be many small ones, which Node
// opens all at once.
await build({
  ...common,
  entryPoints: {
    'thread-entry': `${dist}worker/thread-entry.js`,
    'export-thread-entry': `${dist}export/export-thread-entry.js`,
    'audit-thread-entry': `${dist}audit/audit-thread-entry.js`,
    'size-entry': `${dist}worker/size-entry.js`,
    'held-up-entry': `${dist}waits/held-up-entry.js`,
    'page-thread-entry': `${dist}page/page-thread-entry.js`,
  },
});
// The page of a job, as one file.
await import('./build-page.mjs');
