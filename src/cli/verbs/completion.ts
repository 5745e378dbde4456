import type { Command } from 'commander';
import { UsageError } from '../arguments.js';
import { Exit, plainCommand, type Verb } from './verb.js';

/** A command as a shell completes it. */
interface Completed {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
  readonly options: readonly { readonly long: string; readonly text: string }[];
}

const SHELLS = new Map([
  ['bash', bashScript],
  ['zsh', zshScript],
  ['fish', fishScript],
]);
const SHELL_NAMES = [...SHELLS.keys()].join(' ');

/**
 * `completion`: a script for a shell.
 *
 * @param commands every command of the program, the load first; loaded when they are needed
 */
export function completionVerb(commands: () => Promise<readonly Command[]>): Verb {
  return {
    name: 'completion',
    summary: 'print a completion script for bash, zsh or fish',
    command: () =>
      plainCommand(
        'completion',
        'Print a script that makes bash, zsh or fish complete the commands and flags of clfsload, and those that azcopy has of it.',
        '  clfsload completion bash > /etc/bash_completion.d/clfsload\n  clfsload completion zsh > ~/.zfunc/_clfsload\n  clfsload completion fish > ~/.config/fish/completions/clfsload.fish\n',
      ).argument('<shell>', 'bash, zsh or fish'),
    async run(command, io) {
      const [shell] = command.args;
      const script = SHELLS.get(shell);
      if (!script) throw new UsageError(`completion is there for bash, zsh and fish, not for ${JSON.stringify(shell)}`);
      const completed = (await commands()).map((each): Completed => {
        const options = each.options.flatMap(({ long, description }) =>
          long ? [{ long: long.slice(2), text: description }] : [],
        );
        return { name: each.name(), summary: each.summary(), flags: options.map(({ long }) => `--${long}`), options };
      });
      await io.write(script(completed));
      return Exit.ok;
    },
  };
}

/** `clfsload VERB`, `azcopy clfs VERB` and `azcopy load clfs`: where the verb stands, and what follows the others. */
function bashScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name);
  return `# bash completion for clfsload, and for what azcopy has of it
_clfsload_flags() {
  case "$1" in
${commands.map(({ name, flags }) => `    ${name}) echo "${flags.join(' ')}" ;;`).join('\n')}
  esac
}
_clfsload_complete() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  # What follows "--flag=" is a word of its own, and so is the "=".
  [ "$current" = = ] && current=
  case "$1:$current" in
    *:-*) COMPREPLY=($(compgen -W "$(_clfsload_flags "$1")" -- "$current")) ;;
    completion:*) COMPREPLY=($(compgen -W "${SHELL_NAMES}" -- "$current")) ;;
    *)
      compopt -o filenames 2>/dev/null
      # A line is a name, whatever spaces are in it.
      mapfile -t COMPREPLY < <(compgen -f -- "$current")
      ;;
  esac
}
_clfsload() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names.join(' ')} help" -- "$current"))
  elif [ "$COMP_CWORD" -eq 2 ] && [ "\${COMP_WORDS[1]}" = help ]; then
    COMPREPLY=($(compgen -W "${names.join(' ')} environment" -- "$current"))
  else
    _clfsload_complete "\${COMP_WORDS[1]}"
  fi
}
_clfsload_azcopy() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "load clfs" -- "$current"))
  elif [ "\${COMP_WORDS[1]}" = load ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then COMPREPLY=($(compgen -W "clfs" -- "$current")); else _clfsload_complete load; fi
  elif [ "\${COMP_WORDS[1]}" = clfs ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      COMPREPLY=($(compgen -W "${names.filter((name) => name !== 'load').join(' ')}" -- "$current"))
    else
      _clfsload_complete "\${COMP_WORDS[2]}"
    fi
  elif declare -F __start_azcopy >/dev/null; then
    # Microsoft's own completion, where it is loaded.
    __start_azcopy
  fi
}
complete -F _clfsload clfsload
complete -o default -F _clfsload_azcopy azcopy
`;
}

function zshScript(commands: readonly Completed[]): string {
  const names = commands.map(({ name }) => name);
  return `#compdef clfsload azcopy
_clfsload_flags() {
  case "$1" in
${commands.map(({ name, flags }) => `    ${name}) [[ "$words[CURRENT]" == -* ]] && compadd -- ${flags.join(' ')} || ${name === 'completion' ? `compadd -- ${SHELL_NAMES}` : '_files'} ;;`).join('\n')}
  esac
}
_clfsload() {
  if [[ "$service" == azcopy ]]; then
    if (( CURRENT == 2 )); then compadd -- load clfs
    elif [[ "$words[2]" == load ]]; then
      if (( CURRENT == 3 )); then compadd -- clfs; else _clfsload_flags load; fi
    elif [[ "$words[2]" == clfs ]]; then
      if (( CURRENT == 3 )); then compadd -- ${names.filter((name) => name !== 'load').join(' ')}; else _clfsload_flags "$words[3]"; fi
    else _files
    fi
  elif (( CURRENT == 2 )); then compadd -- ${names.join(' ')} help
  elif [[ "$words[2]" == help ]]; then compadd -- ${names.join(' ')} environment
  else _clfsload_flags "$words[2]"
  fi
}
if [ "$funcstack[1]" = "_clfsload" ]; then _clfsload; else compdef _clfsload clfsload azcopy; fi
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, summary, options }) => {
    const own = `'__fish_seen_subcommand_from ${name}'`;
    const asVerb = `complete -c clfsload -n __fish_use_subcommand -f -a ${name} -d ${fishWord(summary)}`;
    const asClfs = `complete -c azcopy -n '__fish_seen_subcommand_from clfs; and not __fish_seen_subcommand_from load ${commands.map((each) => each.name).join(' ')}' -f -a ${name} -d ${fishWord(summary)}`;
    return [
      asVerb,
      ...(name === 'load' ? [] : [asClfs]),
      ...options.flatMap(({ long, text }) =>
        ['clfsload', 'azcopy'].map((program) => `complete -c ${program} -n ${own} -l ${long} -d ${fishWord(text)}`),
      ),
    ];
  });
  return `# fish completion for clfsload, and for what azcopy has of it
complete -c clfsload -n __fish_use_subcommand -f -a help -d 'say more about a verb'
complete -c clfsload -n '__fish_seen_subcommand_from help' -f -a '${commands.map(({ name }) => name).join(' ')} environment'
complete -c clfsload -n '__fish_seen_subcommand_from completion' -f -a '${SHELL_NAMES}'
complete -c azcopy -n __fish_use_subcommand -f -a 'load clfs'
complete -c azcopy -n '__fish_seen_subcommand_from load; and not __fish_seen_subcommand_from clfs' -f -a clfs
${lines.join('\n')}
`;
}

function fishWord(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', ' ')}'`;
}
