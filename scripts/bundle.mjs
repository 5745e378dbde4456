// Joins what tsc has made into a few files for the programs in bin/: half of a small load's time went into finding and
// loading some 250 modules, in each thread. The library (dist/index.js) stays as tsc has made it. What is native, or
// seldom needed and large, stays outside.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

/** Parts of a program that are opened at once. */
const OPENED_AT_ONCE = 8;

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
const { metafile } = await build({
  ...common,
  entryPoints: { main: `${dist}cli/main.js`, extension: `${dist}cli/extension.js` },
  splitting: true,
  metafile: true,
});
importInTurn(metafile.outputs);
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

/**
 * Has a part that is imported when it is needed come after the parts that it imports itself, a few at a time: Node opens
 * all that one imports at once, which are more files than a process may have open where few are allowed.
 */
function importInTurn(outputs) {
  const parts = new Map(Object.entries(outputs).map(([path, output]) => [path, output.imports]));
  /** What a part imports, each behind what it imports itself. */
  const neededBy = (path, found = new Set()) => {
    for (const { path: needed, kind } of parts.get(path) ?? [])
      if (kind === 'import-statement' && parts.has(needed) && !found.has(needed)) neededBy(needed, found).add(needed);
    return found;
  };
  const specifier = (path) => `./${path.slice(path.lastIndexOf('/') + 1)}`;
  for (const [path, imports] of parts) {
    const lazy = imports.filter(({ path: needed, kind }) => kind === 'dynamic-import' && parts.has(needed));
    if (lazy.length === 0) continue;
    let text = readFileSync(path, 'utf8');
    for (const needed of new Set(lazy.map((each) => each.path))) {
      const call = `import(${JSON.stringify(specifier(needed))})`;
      if (!text.includes(call)) throw new Error(`${path} does not import ${needed} as is said of it.`);
      const before = [...neededBy(needed)].map((each) => `import(${JSON.stringify(specifier(each))})`);
      const turns = Array.from({ length: Math.ceil(before.length / OPENED_AT_ONCE) }, (_, turn) =>
        before.slice(turn * OPENED_AT_ONCE, (turn + 1) * OPENED_AT_ONCE),
      );
      const waits = turns.map((calls) => `await Promise.all([${calls.join(', ')}]);`);
      text = text.replaceAll(call, `(async () => { ${waits.join(' ')} return ${call}; })()`);
    }
    writeFileSync(path, text);
  }
}
