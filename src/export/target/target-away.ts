import { ClfsError } from '../../error.js';
import { pathOfOpen } from '../../posix/libc.js';
import { mayBeOutage } from '../../posix/outage-errors.js';
import { quotePath } from '../../text/escape-path.js';
import type { AnyCalls } from './target-calls.js';

type Call = (...how: unknown[]) => unknown;

/**
 * The same calls, of which one that fails as all do while a server is away asks for the target's root: when that does not
 * answer either, it is the target that fails (ClfsError `target`), and not the entry which the call is for.
 */
export function unlessAway(calls: AnyCalls, root: number): AnyCalls {
  let probe: Promise<boolean> | undefined;
  const isAway = async () => {
    try {
      await calls.statFd(root, true);
      return false;
    } catch (error) {
      return mayBeOutage(error);
    }
  };
  const failed = async (error: unknown): Promise<never> => {
    if (!mayBeOutage(error)) throw error;
    // Many calls fail at once.
    probe ??= isAway().finally(() => {
      probe = undefined;
    });
    if (!(await probe)) throw error;
    const shown = pathOfOpen(root);
    throw new ClfsError(
      'target',
      `The target${shown ? ` ${quotePath(shown)}` : ''} does not answer: ${error.message}. When it does, repeat the export: it goes on where it stopped.`,
      { cause: error },
    );
  };
  const guarded: Record<string, Call> = {};
  for (const [key, call] of Object.entries(calls) as [string, Call][])
    guarded[key] = (...how) => {
      try {
        const made = call(...how);
        return made instanceof Promise ? made.catch(failed) : made;
      } catch (error) {
        return failed(error);
      }
    };
  // A sync that fails tells of what was written before, whoever answers now.
  return { ...(guarded as unknown as AnyCalls), sync: calls.sync };
}
