import { Command } from 'commander';
import { normalizeBooleans, strict, UsageError } from './arguments.js';
import { CONTAINER_HELP, runJob, withRunOptions } from './load-command.js';

const EXAMPLES = `
Examples:
  clfsload resume /path/to/state
  clfsload resume /path/to/state "https://[account].blob.core.windows.net/[container]?[SAS]"
  CLFS_URL="https://[account].blob.core.windows.net/[container]?[SAS]" clfsload resume /path/to/state env:CLFS_URL --cap-mbps=200
`;

/** The command itself: its flags, their defaults and help. */
export function resumeCommand(name: string): Command {
  const command = strict(new Command(name))
    .usage('[state directory] [container URL] [flags]')
    .description(
      'Go on with the job in a state directory: what it is, and what it was told, is recorded there. A container that needs a SAS is named with it again, since no SAS is recorded. A flag changes the setting from the present session on.',
    )
    .argument('<state>', 'the state directory of the job')
    .argument('[container]', `the container of the job, where it needs a SAS: ${CONTAINER_HELP}`);
  return withRunOptions(command).addHelpText('after', EXAMPLES);
}

/**
 * Runs `resume`.
 *
 * @returns exit code: 0 only when everything arrived
 * @throws UsageError
 */
export function runResume(name: string, argv: readonly string[]): Promise<number> {
  const command = resumeCommand(name);
  command.parse(normalizeBooleans(argv, ['--estimate', '--check-listing']), { from: 'user' });
  const [statePath, container] = command.args;
  if (statePath === '') throw new UsageError('please name the state directory of the job');
  return runJob(command, { statePath, container, newSession: false });
}
