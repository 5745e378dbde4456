import { defineConfig } from 'vitest/config';

/** The real azcopy as the host of CLFSLoad.py: not part of the suite, since it downloads azcopy's old versions. */
export default defineConfig({
  test: { include: ['test/real-azcopy.ts'], testTimeout: 180_000, hookTimeout: 300_000, maxWorkers: 1 },
});
