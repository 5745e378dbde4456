import { exitAtOnce } from '../index.js';

/**
 * Has the process end without what libraries do when it ends: the one that calls the C library syncs standard output and
 * standard error then, and where that fails, on a disk that is full or a server that is away, it waits for ever. By then
 * everything has been written.
 */
export function leaveAtOnce(): void {
  const leave = (code: number) => exitAtOnce(code);
  process.once('exit', leave);
  // Node tells what nobody has caught only after that.
  process.once('uncaughtExceptionMonitor', () => process.off('exit', leave));
}
