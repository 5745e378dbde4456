import { ClfsError } from '../error.js';

/** What a log says of an error: of one that nobody has foreseen, where it came from. */
export function logText(error: unknown): string {
  if (error instanceof ClfsError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
