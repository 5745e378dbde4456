import { ClfsError, type ErrorCode, messageOf } from '../error.js';

/**
 * What ended a task early while something of it counts: plain data, since a class does not survive the way between
 * threads.
 */
export interface Breakage {
  readonly code: ErrorCode;
  readonly message: string;
}

/** What made a task end early, as it travels between threads. */
export function breakageOf(error: unknown): Breakage {
  if (error instanceof ClfsError) return { code: error.code, message: error.message };
  return { code: 'worker', message: String((error as Error)?.stack ?? messageOf(error)) };
}

/** The error that a breakage stands for. */
export function errorOf({ code, message }: Breakage): ClfsError {
  return new ClfsError(code, message);
}

/** What ended a task early, by what it told; undefined: it was not. */
export function breakageIn(told: unknown): Breakage | undefined {
  return (told as { readonly result?: { readonly broken?: Breakage } }).result?.broken;
}

/** What a task told, with whose trouble it is in the message of what ended it, if something did. */
export function blameOn<Told>(who: string, told: Told): Told {
  const broken = breakageIn(told);
  if (broken === undefined) return told;
  const { code, message } = broken;
  const { result } = told as { readonly result: object };
  return { ...told, result: { ...result, broken: { code, message: `${who}: ${message}` } } };
}
