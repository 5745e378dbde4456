import { speakOfHeldUpAfter } from '../index.js';
import { parseDuration } from './arguments.js';

/** A parser for `--stall-warning`, which holds from then on for calls that hold up the program's own thread. */
export function parseStallWarning(value: string): number {
  const ms = parseDuration(value);
  speakOfHeldUpAfter(ms);
  return ms;
}
