/** The layers of docs/design.md: each folder, and what it may import beside itself, error.ts, option-checks.ts and version.ts. */
const LAYERS = {
  format: [],
  lz4: ['format', 'posix'],
  books: [],
  posix: ['text'],
  text: [],
  paths: ['text'],
  waits: ['posix', 'text', 'time'],
  log: ['posix', 'text'],
  source: ['format', 'paths', 'posix', 'text', 'waits'],
  job: ['source', 'text'],
  time: [],
  sqlite: [],
  engine: ['time'],
  remote: ['engine', 'text', 'time'],
  container: ['posix', 'spill', 'time', 'waits'],
  identity: ['container', 'time'],
  manifest: ['format', 'text'],
  state: ['sqlite', 'books', 'format', 'job', 'paths', 'posix', 'source', 'text'],
  worker: ['spill', 'books', 'engine', 'format', 'job', 'manifest', 'paths', 'posix', 'source', 'container', 'lz4', 'time', 'waits'],
  load: ['spill', 'sqlite', 'books', 'engine', 'join', 'remote', 'time', 'job', 'format', 'paths', 'posix', 'source', 'container', 'identity', 'state', 'worker', 'log', 'lz4', 'text', 'waits'],
  spill: ['sqlite'],
  namespace: ['format', 'container', 'paths', 'posix', 'spill', 'text'],
  salvage: ['container', 'format', 'namespace', 'spill'],
  audit: ['engine', 'join', 'remote', 'time', 'format', 'manifest', 'container', 'identity', 'lz4', 'source', 'namespace', 'paths', 'posix', 'spill', 'text', 'waits'],
  export: ['sqlite', 'books', 'engine', 'join', 'remote', 'time', 'format', 'paths', 'posix', 'source', 'container', 'identity', 'namespace', 'salvage', 'spill', 'state', 'log', 'lz4', 'text', 'waits'],
  join: ['container', 'engine', 'identity', 'posix', 'remote', 'time', 'waits'],
  page: ['books', 'container', 'export', 'format', 'job', 'join', 'load', 'posix', 'source', 'sqlite', 'state', 'text'],
  cli: [],
};
const SHARED = 'error|option-checks|version';

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    ...Object.entries(LAYERS).map(([layer, allowed]) => ({
      name: `${layer}-imports`,
      severity: 'error',
      from: { path: `^src/${layer}/`, pathNot: '\\.test\\.ts$' },
      to: { path: '^src/', pathNot: layer === 'cli' ? '^src/(cli/|index\\.ts)' : `^src/((${[layer, ...allowed].join('|')})/|(${SHARED})\\.ts)` },
    })),
    { name: 'no-test-code', severity: 'error', from: { path: '^src/', pathNot: '\\.test\\.ts$' }, to: { path: '^test/' } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node'], extensions: ['.ts', '.js'] },
  },
};
