import { readFileSync } from 'node:fs';
import { quotePath } from '../index.js';
import { UsageError } from './arguments.js';
import { localPath, textPath } from './local-path.js';

/**
 * A container as it stands on the command line: itself, `env:NAME` for what an environment variable holds, or `@FILE`
 * for the first line of a file, so that a SAS need not be where every user of the machine can see it.
 *
 * @throws UsageError
 */
export function containerArgument(text: string): string {
  if (text.startsWith('env:')) {
    const value = process.env[text.slice(4)];
    if (!value) throw new UsageError(`the environment variable ${JSON.stringify(text.slice(4))} is not set or empty`);
    return value.trim();
  }
  // What names no container is told so by what opens it.
  if (text === '') return text;
  if (!text.startsWith('@')) return textPath(text, 'a container');
  const file = localPath(text.slice(1));
  let line: string;
  try {
    [line] = readFileSync(file, 'utf8').split('\n');
  } catch (error) {
    throw new UsageError(
      `the file ${quotePath(file)} with the container URL cannot be read: ${(error as Error).message}`,
    );
  }
  if (line.trim() === '')
    throw new UsageError(`the first line of ${quotePath(file)} is empty: it takes a container URL`);
  return line.trim();
}
