import { exitAtOnce } from '../index.js';
import { onSignal } from './on-signal.js';

/**
 * The first signal stops the job so that it can be resumed; the second ends the process at once.
 *
 * @param onStop called at the first signal
 */
export function stopOnSignals(onStop: () => void = () => undefined): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const release = onSignal(
    ['SIGINT', 'SIGTERM', 'SIGHUP'],
    () => {
      onStop();
      controller.abort();
    },
    () => exitAtOnce(1),
    1,
  );
  return { signal: controller.signal, release };
}
