import { exitAtOnce } from '../index.js';

/**
 * The first signal stops the job so that it can be resumed; the second ends the process at once.
 *
 * @param onStop called at the first signal
 */
export function stopOnSignals(onStop: () => void = () => undefined): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const onSignal = (signal: NodeJS.Signals) => {
    // Without a terminal (nohup, a service) SIGHUP does not mean that the user wants to stop.
    if (signal === 'SIGHUP' && !process.stdin.isTTY) return;
    if (controller.signal.aborted) exitAtOnce(1);
    onStop();
    controller.abort();
  };
  const signals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}
