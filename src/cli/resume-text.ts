import { resolve } from 'node:path';
import { decodeExactly, redact, shellWord } from '../index.js';
import { absolutePath } from './local-path.js';

/** How a job is gone on with. */
export interface ResumeText {
  /** The command, as it can be pasted into a shell. */
  readonly command: string;
  /** What has to be done before; undefined when nothing has. */
  readonly before: string | undefined;
}

/** The variable that a command names where the user has named none. */
const VARIABLE = 'CLFS_URL';

/**
 * The command that goes on with a job, from any directory. A SAS is recorded nowhere: the command says where it is taken
 * from.
 *
 * @param container without its SAS
 * @param given the container as it was on the command line; undefined where that is not known
 */
export function resumeText(statePath: string, container: string, given?: string): ResumeText {
  const command = `clfsload resume ${shellWord(resolve(statePath))}`;
  if (!/^https?:/i.test(container)) return { command, before: undefined };
  if (given?.startsWith('env:')) return { command: `${command} ${shellWord(given)}`, before: undefined };
  if (given?.startsWith('@')) return { command: `${command} ${shellWord(`@${fileOf(given)}`)}`, before: undefined };
  // Logged in by an identity, no SAS is needed.
  const hasSas = given === undefined ? !process.env.AZCOPY_AUTO_LOGIN_TYPE : /[?&]sig=/i.test(given);
  if (!hasSas) return { command, before: undefined };
  return {
    command: `${command} env:${VARIABLE}`,
    before: `put the container URL with a SAS into ${VARIABLE}: export ${VARIABLE}=${shellWord(`${redact(container)}?SAS`)}`,
  };
}

/** Absolute, as the command may be given anywhere; where it was hexadecimal digits, what they stand for. */
function fileOf(given: string): string {
  return decodeExactly(absolutePath(given.slice(1)));
}
