// Writes docs/commands.md from the commands' own help; with --check it only tells whether the file is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { extensionCommand } from '../dist/cli/extension.js';
import { allCommands } from '../dist/cli/main.js';

const file = new URL('../docs/commands.md', import.meta.url);
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
if (!process.argv.includes('--check')) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error('docs/commands.md is not up to date: run "npm run docs".');
  process.exitCode = 1;
}
