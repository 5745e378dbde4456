/** Where workers ask for work; every driver listens. */
export const APPLY_SUBJECT = 'clfs.apply';
/** The consumer of a stream of tickets. */
export const CONSUMER = 'workers';

/** Name of a stream of tickets. @param job `CLFS_` and what names the job @param epoch of one session, without a `_` */
export function streamName(job: string, epoch: string, incarnation: number): string {
  return `${job}_${epoch}_${incarnation}`;
}

/** What names jobs and sessions, as drivers make it. Others have streams at the same server. */
const OWN_STREAM = /^CLFS_([0-9a-f]{8})_(\1-[0-9a-f]{12})_\d+$/;

/** The epoch in the name of a stream of tickets, of whatever job; undefined when no driver gives such a name. */
export function epochOf(stream: string): string | undefined {
  return OWN_STREAM.exec(stream)?.[2];
}

/** Where the workers of a driver ask and tell. */
export function askSubject(epoch: string): string {
  return `clfs.ask.${epoch}`;
}

/** Where the tickets of a stream are published. */
export function taskSubject(stream: string): string {
  return `clfs.task.${stream}`;
}
