// Writes docs/commands.md from the commands' own help, and docs/environment.md from the programs' table; with --check it
// only tells whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { environmentDocument } from '../dist/cli/environment.js';
import { commandsWithHelp } from './all-commands.mjs';

const sections = (await commandsWithHelp()).map(
  ({ name, also, help }) =>
    `## ${name}\n\n${also === undefined ? '' : `Also \`${also}\`.\n\n`}\`\`\`\n${help}\n\`\`\`\n`,
);
const commands = `# Commands\n\nMade from the commands' own help by \`npm run docs\`; do not edit.\n\n${sections.join('\n')}`;
const documents = { 'docs/commands.md': commands, 'docs/environment.md': environmentDocument() };
for (const [name, content] of Object.entries(documents)) {
  const file = new URL(`../${name}`, import.meta.url);
  if (!process.argv.includes('--check')) writeFileSync(file, content);
  else if (readFileSync(file, 'utf8') !== content) {
    console.error(`${name} is not up to date: run "npm run docs".`);
    process.exitCode = 1;
  }
}
