import type { Command } from 'commander';
import { UsageError } from '../arguments.js';
import { Exit, plainCommand, type Verb } from './verb.js';

/** A command as a shell completes it. */
interface Completed {
  readonly name: string;
  readonly flags: readonly string[];
}

/**
 * `completion`: a script for a shell.
 *
 * @param commands every command of the program, the load first; loaded when they are needed
 */
export function completionVerb(commands: () => Promise<readonly Command[]>): Verb {
  return {
    name: 'completion',
    summary: 'print a completion script for bash or zsh',
    command: () =>
      plainCommand(
        'completion',
        'Print a script that makes bash or zsh complete the commands and flags of clfsload.',
        '  clfsload completion bash > /etc/bash_completion.d/clfsload\n  clfsload completion zsh > ~/.zfunc/_clfsload\n',
      ).argument('<shell>', 'bash or zsh'),
    async run(command, io) {
      const [shell] = command.args;
      if (shell !== 'bash' && shell !== 'zsh')
        throw new UsageError(`completion is there for bash and zsh, not for ${JSON.stringify(shell)}`);
      const completed = (await commands()).map(
        (each): Completed => ({ name: each.name(), flags: each.options.map(({ long }) => long ?? '').filter(Boolean) }),
      );
      await io.write(shell === 'bash' ? bashScript(completed) : zshScript(completed));
      return Exit.ok;
    },
  };
}

function bashScript(commands: readonly Completed[]): string {
  return `# bash completion for clfsload
_clfsload() {
  local current="\${COMP_WORDS[COMP_CWORD]}" flags=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${commands.map(({ name, flags }) => `    ${name}) flags="${flags.join(' ')}" ;;`).join('\n')}
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _clfsload clfsload
`;
}

function zshScript(commands: readonly Completed[]): string {
  return `#compdef clfsload
_clfsload() {
  if (( CURRENT == 2 )); then
    compadd -- ${commands.map(({ name }) => name).join(' ')}
    return
  fi
  case "$words[2]" in
${commands.map(({ name, flags }) => `    ${name}) [[ "$words[CURRENT]" == -* ]] && compadd -- ${flags.join(' ')} || _files ;;`).join('\n')}
  esac
}
if [ "$funcstack[1]" = "_clfsload" ]; then _clfsload; else compdef _clfsload clfsload; fi
`;
}
