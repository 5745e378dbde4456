import { resolve } from 'node:path';
import { ClfsError, decodeExactly, isClfsError, messageOf, redact, shellWord } from '../index.js';
import { absolutePath } from './local-path.js';

/** How a job is gone on with. */
export interface ResumeText {
  /** The command, as it can be pasted into a shell. */
  readonly command: string;
  /** What has to be done before; undefined when nothing has. */
  readonly before: string | undefined;
}

/** The command that goes on with a job, as a user has it: under azcopy there need be no clfsload in PATH. */
export type ResumeProgram = 'clfsload resume' | 'azcopy clfs resume';

/** What a job is gone on with, beside its state. */
interface ResumeBy {
  /** The container as it was on the command line; undefined where that is not known. */
  readonly given?: string;
  readonly program: ResumeProgram;
}

/** @param name of the command that the user has called, with its program */
export function resumeProgram(name: string): ResumeProgram {
  return name.startsWith('azcopy ') ? 'azcopy clfs resume' : 'clfsload resume';
}

/** The variable that a command names where the user has named none. */
const VARIABLE = 'CLFS_URL';

/**
 * The command that goes on with a job, from any directory. A SAS is recorded nowhere: the command says where it is taken
 * from.
 *
 * @param container without its SAS
 */
export function resumeText(statePath: string, container: string, { given, program }: ResumeBy): ResumeText {
  const command = `${program} ${shellWord(resolve(statePath))}`;
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

/**
 * What is thrown where a job was to go on without the SAS that its container needs: the user named no URL that could lack
 * one. @param how the job is gone on with
 */
export function askedForSas(error: unknown, how: () => ResumeText): unknown {
  if (!isClfsError(error, 'usage') || !messageOf(error).startsWith('The container URL has no SAS:')) return error;
  const { command, before } = how();
  if (before === undefined) return error;
  return new ClfsError('usage', `The container needs a SAS, which no state records: ${before}\nTo go on: ${command}`, {
    cause: error,
  });
}

/** Absolute, as the command may be given anywhere; where it was hexadecimal digits, what they stand for. */
function fileOf(given: string): string {
  return decodeExactly(absolutePath(given.slice(1)));
}
