/** What the names begin with that exports give for a while. */
const PREFIX = '.clfsload-';

/** What those of one job begin with. */
export function temporaryPrefixOf(jobId: string): string {
  return `${PREFIX}${jobId}-`;
}

/**
 * How a user begins an export anew: the end of a sentence that offers it. What the job leaves in the target is named, since
 * another job does not know it.
 *
 * @param prefix of the job's temporary names; default: that of all jobs, where it is not known which one it is
 * @param state what is to be removed
 */
export function beginAnewText(prefix = PREFIX, state = 'the state of the export'): string {
  return `remove ${state}, and what is left in the target of files whose names begin with ${JSON.stringify(prefix)}, and begin anew: what has been written stays where it is.`;
}
