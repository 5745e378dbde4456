import { isOutOfDescriptors, patiently } from '../../posix/descriptors.js';
import type { AnyCalls } from './target-calls.js';

/**
 * The same calls, of which those that open something wait for a descriptor where there is none: that is never what an
 * entry fails for.
 */
export function patientCalls(calls: AnyCalls): AnyCalls {
  const again = (how: Parameters<AnyCalls['openAt']>, error: unknown) => {
    if (!isOutOfDescriptors(error)) throw error;
    return patiently(how[1], () => calls.openAt(...how));
  };
  return {
    ...calls,
    openAt(...how) {
      try {
        const opened = calls.openAt(...how);
        return opened instanceof Promise ? opened.catch((error: unknown) => again(how, error)) : opened;
      } catch (error) {
        return again(how, error);
      }
    },
  };
}
