// Writes docs/commands.md from the commands' own help, and docs/environment.md from the programs' table; with --check it
// only tells whether they are up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { environmentDocument } from '../dist/cli/environment.js';
import { extensionCommand } from '../dist/cli/extension.js';
import { allCommands } from '../dist/cli/main.js';

const sections = [];
for (const command of [...(await allCommands()), extensionCommand()]) {
  const name = command.name();
  const extension = name === 'CLFSLoad.py';
  command.name(extension ? name : `clfsload ${name}`);
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text), getOutHelpWidth: () => 120 }).exitOverride();
  command.outputHelp();
  const also = extension ? '' : name === 'load' ? 'Also `azcopy load clfs`.\n\n' : `Also \`azcopy clfs ${name}\`.\n\n`;
  sections.push(`## ${command.name()}\n\n${also}\`\`\`\n${help.trimEnd()}\n\`\`\`\n`);
}
const text = `# Commands\n\nMade from the commands' own help by \`npm run docs\`; do not edit.\n\n${sections.join('\n')}`;
const documents = { 'docs/commands.md': text, 'docs/environment.md': environmentDocument() };
for (const [name, content] of Object.entries(documents)) {
  const file = new URL(`../${name}`, import.meta.url);
  if (!process.argv.includes('--check')) writeFileSync(file, content);
  else if (readFileSync(file, 'utf8') !== content) {
    console.error(`${name} is not up to date: run "npm run docs".`);
    process.exitCode = 1;
  }
}
