/** Where some work stands, as a line of progress shows it. */
export interface ProgressFigures {
  /** What is being done, in a word: `Transfer`, `Listing`. */
  readonly label: string;
  /** Which work it is, where its label changes on the way: rate and share are those of one work. Default: the label. */
  readonly work?: string;
  /** What is counted, in the plural: `entries`, `blobs`. */
  readonly unit: string;
  readonly done: number;
  /** Undefined where it is not known. */
  readonly total?: number;
  /** Bytes of file data; undefined where they are not counted. */
  readonly bytes?: number;
  readonly bytesTotal?: number;
  /** Thousandths that are done, 0 to 999; undefined while that is not known. */
  readonly permille?: number;
  readonly failed?: number;
  /** Workers on other machines that are there; undefined where none can be. */
  readonly workers?: number;
  /** Requests that were repeated. */
  readonly retries?: number;
  /** Seconds for which the service has not answered; undefined while it does. */
  readonly waitingSeconds?: number;
}

/** Thousandths for work whose entries are counted: never 1000, since the end has not come yet. */
export function permilleOf(done: number, total: number | undefined): number | undefined {
  return total === undefined ? undefined : Math.min(999, Math.floor((1000 * done) / Math.max(1, total)));
}
