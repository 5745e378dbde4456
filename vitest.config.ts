import { relative } from 'node:path';
import { defineConfig } from 'vitest/config';
import { withLimits } from './test/lives/limits.js';

export default defineConfig({
  // Lives can make limits of the program small, which are as they are for all other tests.
  plugins: [
    {
      name: 'limits',
      enforce: 'pre',
      transform: (code, id) => withLimits(relative(import.meta.dirname, id), code),
    },
  ],
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
  },
});
