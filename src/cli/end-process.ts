/** How long what is still under way keeps the process once everything has been said. */
const LINGER_MS = 2000;

/**
 * Has the process end with an exit code: by itself; where a call of a file system or a thread hangs, after a while.
 */
export function endProcess(code: number): void {
  process.exitCode = code;
  const end = async () => (await import('../index.js')).exitAtOnce(code);
  setTimeout(() => void end(), LINGER_MS).unref();
}
