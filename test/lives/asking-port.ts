import type { MessagePort } from 'node:worker_threads';

/** A port as the threads of a worker have it, to ask its driver; answers come in the order of the questions. */
export function askingPort(
  ask: (what: unknown) => Promise<{ readonly answer: unknown } | undefined>,
  isGone: () => boolean,
): MessagePort {
  let heard: (answer: unknown) => void = () => undefined;
  let last: Promise<unknown> = Promise.resolve();
  const port = {
    on: (_event: 'message', call: (answer: unknown) => void) => {
      heard = call;
    },
    postMessage(what: unknown) {
      const answer = ask(what);
      last = last.then(async () => {
        const answered = await answer;
        if (answered && !isGone()) heard(answered.answer);
      });
    },
    unref: () => undefined,
  };
  return port as unknown as MessagePort;
}
