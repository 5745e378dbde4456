// Writes man pages into man/ from the commands' own help and the table of environment variables: clfsload(1), and a page
// for each command. Part of packing; the pages are not kept in the repository.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { ENVIRONMENT } from '../dist/cli/environment.js';
import { VERSION } from '../dist/index.js';
import { commandsWithHelp } from './all-commands.mjs';

const folder = new URL('../man/', import.meta.url);
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder);
const commands = await commandsWithHelp();

/** Text in which troff sees nothing to obey. */
const plain = (text) =>
  text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/gm, '\\&$1');
const paragraphs = (text) => plain(text.trim()).replace(/\n{2,}/g, '\n.PP\n');
const verbatim = (text) => `.nf\n${plain(text)}\n.fi`;
const item = (term, text) => `.TP\n.B ${plain(term)}\n${plain(text)}`;
const header = (name) => `.TH "${name.toUpperCase()}" 1 "" "clfsload ${VERSION}" "User commands"`;
const pageName = (name) => name.replace(' ', '-');

for (const { name, also, help, command } of commands) {
  const layout = command.createHelp();
  // What stands behind the options: examples, and what is said of containers and paths.
  const [, after = ''] = /\n(Examples:\n[\s\S]*|\nCLFSLOAD_BLOB_ENDPOINT[\s\S]*)$/.exec(help) ?? [];
  const [examples, ...rest] = after.replace(/^Examples:\n/, '').split('\n\n');
  const arguments_ = layout.visibleArguments(command);
  const text = [
    header(pageName(name)),
    '.SH NAME',
    `${plain(pageName(name))} \\- ${plain(command.summary() || command.description().split(/\.(\s|$)/)[0])}`,
    '.SH SYNOPSIS',
    verbatim(`${name} ${command.usage()}`),
    ...(also === undefined ? [] : [verbatim(`${also} ${command.usage()}`)]),
    '.SH DESCRIPTION',
    paragraphs(command.description()),
    ...(arguments_.length === 0 ? [] : ['.SH ARGUMENTS']),
    ...arguments_.map((each) => item(layout.argumentTerm(each), layout.argumentDescription(each) || each.name())),
    '.SH OPTIONS',
    ...layout.visibleOptions(command).map((each) => item(layout.optionTerm(each), layout.optionDescription(each))),
    ...(rest.length > 0 ? ['.SH NOTES', ...rest.map((each) => `.PP\n${plain(each)}`)] : []),
    ...(examples === '' ? [] : ['.SH EXAMPLES', verbatim(examples)]),
    '.SH SEE ALSO',
    name === 'clfsload' ? '' : '.BR clfsload (1)',
  ];
  writeFileSync(new URL(`${pageName(name)}.1`, folder), `${text.join('\n')}\n`);
}

const overview = [
  header('clfsload'),
  '.SH NAME',
  'clfsload \\- load POSIX trees into CLFS containers, and read them back',
  '.SH SYNOPSIS',
  verbatim('clfsload COMMAND [arguments] [flags]\nclfsload help COMMAND'),
  '.SH DESCRIPTION',
  paragraphs(
    'Loads a directory tree into an Azure Blob container in the Avere Cloud FileSystem (CLFS) format, and reads such containers back. Each command has a page of its own.',
  ),
  '.SH COMMANDS',
  ...commands.map(({ name, command }) =>
    item(`${pageName(name)}(1)`, `${command.description().split(/\.(\s|$)/)[0]}.`),
  ),
  '.SH ENVIRONMENT',
  ...ENVIRONMENT.flatMap(({ variables }) => variables.map(({ name, meaning }) => item(name, meaning))),
  '.SH EXIT STATUS',
  item('0', 'Everything arrived; nothing was found.'),
  item('1', 'A load that did not complete; differences, findings, or entries that failed.'),
  item('2', 'A reading command that could not check or read all, or a wrong command line.'),
  item('130', 'A reading command that was interrupted.'),
];
writeFileSync(new URL('clfsload.1', folder), `${overview.join('\n')}\n`);
