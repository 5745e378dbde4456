import { runExtension } from '../dist/programs/extension.js';

process.exitCode = await runExtension(process.argv.slice(2));
