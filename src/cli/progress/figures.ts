import { type CommandFigures, type ServiceFigures, sharePermille } from '../../index.js';

/** Where some work stands, as a line of progress shows it. */
export interface ProgressFigures extends CommandFigures {
  /** Which work it is, where its label changes on the way: rate and share are those of one work. Default: the label. */
  readonly work?: string;
  /** Whether the bytes are those that are stored in the container, perhaps compressed, in place of file data. */
  readonly stored?: boolean;
  /** Workers on other machines that are there; undefined where none can be. */
  readonly workers?: number;
  /** Requests that were repeated. */
  readonly retries?: number;
  /** Seconds for which the service has not answered; undefined while it does. */
  readonly waitingSeconds?: number;
}

/** A request that is repeated once, or twice, is not worth a word. */
const AWAY_S = 2;

/** What a line of progress shows of the service. */
export function serviceFigures({
  retries,
  waitingSinceMs,
}: ServiceFigures): Pick<ProgressFigures, 'retries' | 'waitingSeconds'> {
  const seconds = waitingSinceMs > 0 ? (Date.now() - waitingSinceMs) / 1000 : 0;
  return { retries, waitingSeconds: seconds >= AWAY_S ? seconds : undefined };
}

/** Thousandths for work whose entries are counted: never 1000, since the end has not come yet. */
export function permilleOf(done: number, total: number | undefined): number | undefined {
  return total === undefined ? undefined : sharePermille({ done, total });
}
