import { createRequire } from 'node:module';

// By the package's own name: its place relative to this file depends on how the program is built.
const { version } = createRequire(import.meta.url)('clfsload/package.json') as { version: string };

/** Version of this program. */
export const VERSION = version;
