import { koffi } from './koffi.js';

/**
 * Ends the process now, whatever its threads wait for: `process.exit` joins those of the pool first, and one of them
 * may be in a call of a file system that never answers.
 */
export function exitAtOnce(code: number): never {
  koffi.load(null as unknown as string).func('void _exit(int)')(code);
  throw new Error('The process goes on after its end.');
}
