// Every command with its help: what docs/commands.md and the man pages are made from. The build must be there.
import { extensionCommand } from '../dist/cli/extension.js';
import { allCommands } from '../dist/cli/main.js';

/** @returns {Promise<{ name: string, also: string | undefined, help: string, command: import('commander').Command }[]>} */
export async function commandsWithHelp() {
  return [...(await allCommands()), extensionCommand()].map((command) => {
    const verb = command.name();
    const extension = verb === 'CLFSLoad.py';
    command.name(extension ? verb : `clfsload ${verb}`);
    let help = '';
    command
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
        getOutHelpWidth: () => 120,
      })
      .exitOverride();
    command.outputHelp();
    const also = extension ? undefined : verb === 'load' ? 'azcopy load clfs' : `azcopy clfs ${verb}`;
    return { name: command.name(), also, help: help.trimEnd(), command };
  });
}
