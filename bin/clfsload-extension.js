import { runExtension } from '../dist/cli/extension.js';

process.exitCode = await runExtension(process.argv.slice(2));
