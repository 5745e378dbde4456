import { defineConfig } from 'vitest/config';

/** At least so much, in hundredths, of the lines and of the branches of a folder. */
const ENOUGH = { lines: 90, branches: 90 };

/**
 * Which lines and branches tests in this process reach: the unit tests, and some quick ones of whole jobs and containers.
 * What runs in processes and threads of the built program is not counted.
 */
export default defineConfig({
  test: {
    include: [
      'src/{format,engine,state,audit}/**/*.test.ts',
      'test/{fsck,fsck-without-root,fsck-without-root-damage,runner-contract,migration,free-space,whole-links}.test.ts',
    ],
    // A million mutated objects reach what the tables of refusals reach.
    exclude: ['src/format/fuzz.test.ts'],
    testTimeout: 300_000,
    hookTimeout: 300_000,
    maxWorkers: 2,
    coverage: {
      provider: 'v8',
      enabled: true,
      include: ['src/{format,state,engine,audit}/**/*.ts'],
      exclude: ['**/*.test.ts'],
      reporter: [['text', { maxCols: 140 }]],
      thresholds: {
        'src/format/**': ENOUGH,
        'src/state/**': ENOUGH,
        'src/engine/**': ENOUGH,
        'src/audit/**': ENOUGH,
      },
    },
  },
});
