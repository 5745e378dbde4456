/** Where workers ask for work; every driver listens. */
export const APPLY_SUBJECT = 'clfs.apply';
/** The consumer of a stream of tickets. */
export const CONSUMER = 'workers';

/** Where the workers of a driver ask and tell. */
export function askSubject(epoch: string): string {
  return `clfs.ask.${epoch}`;
}

/** Where the tickets of a stream are published. */
export function taskSubject(stream: string): string {
  return `clfs.task.${stream}`;
}
