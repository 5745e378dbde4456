import type { Dispatcher } from 'undici';
import { expect, it } from 'vitest';
import { systemClock } from '../../time/clock.js';
import { AnswerHandler, type BlobAnswer } from './answer-handler.js';

it('takes no more from the connection until the rate allows it, and gives that up with the request', () => {
  const due: { readonly delayMs: number; call(): void }[] = [];
  const clock = {
    ...systemClock,
    after(delayMs: number, call: () => void) {
      const timer = { delayMs, call };
      due.push(timer);
      return { cancel: () => void due.splice(due.indexOf(timer), 1) };
    },
  };
  const happened: string[] = [];
  const controller = {
    pause: () => happened.push('pause'),
    resume: () => happened.push('resume'),
    abort: () => happened.push('abort'),
  } as unknown as Dispatcher.DispatchController;
  let freeMs = 0;
  // A byte a millisecond.
  const limit = {
    durationMs: (bytes: number) => bytes,
    reserve(bytes: number) {
      const waitMs = freeMs;
      freeMs += bytes;
      return waitMs;
    },
  };
  const answers: BlobAnswer[] = [];
  const request = { method: 'GET', blob: 'b', accept: [200], limitBytes: 100 } as const;
  const handler = () =>
    new AnswerHandler(
      request,
      (answer) => answers.push(answer),
      (error) => happened.push(String(error)),
      { limit, clock },
    );

  const whole = handler();
  whole.onRequestStart(controller);
  whole.onResponseStart(controller, 200, {});
  whole.onResponseData(controller, Buffer.from('0123456789'));
  expect([happened.splice(0), due.map(({ delayMs }) => delayMs)]).toEqual([['pause'], [10]]);
  due.splice(0)[0].call();
  // Others have taken their turns meanwhile.
  freeMs = 25;
  whole.onResponseData(controller, Buffer.from('abcde'));
  expect([happened.splice(0), due.splice(0).map(({ delayMs }) => delayMs)]).toEqual([['resume', 'pause'], [30]]);
  whole.onResponseEnd();
  expect(answers.map(({ body }) => body.toString())).toEqual(['0123456789abcde']);

  const broken = handler();
  broken.onRequestStart(controller);
  broken.onResponseStart(controller, 200, {});
  broken.onResponseData(controller, Buffer.from('0123456789'));
  expect(due.length).toBe(1);
  broken.abort(new Error('given up'));
  expect([happened.splice(0), due.length]).toEqual([['pause', 'Error: given up', 'abort'], 0]);
});
