import { resolve } from 'node:path';
import { shellWord } from '../index.js';

/** The command that goes on with a job, as it can be pasted; a SAS is recorded nowhere. */
export function resumeText(statePath: string, container: string): string {
  const sas = /^https?:/i.test(container) ? ` "${container}?SAS"` : '';
  return `clfsload resume ${shellWord(resolve(statePath))}${sas}`;
}
