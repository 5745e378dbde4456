import { ClfsError } from '../error.js';
import { type Breakage, errorOf } from './breakage.js';
import type { Kinds, PartMessage, ResultMessage, TaskMessage } from './kinds.js';
import type { Blame } from './runner.js';

/**
 * One turn of the engine: a transaction in which results are recorded and new work is given.
 *
 * What is given is submitted to a lane once the transaction is durable, and not at all when the job stops: the next
 * session finds it.
 */
export interface Turn<M extends Kinds<M>> {
  /** Units of work that the lanes still have room for; below 0 when more was given. */
  readonly room: number;
  /** Lanes that there are, busy or not, those elsewhere included. */
  readonly lanes: number;
  give(work: Work<M>): void;
  /** Ends the job: nothing new is begun, what is under way is recorded. The first reason counts. */
  stop(reason: unknown): void;
}

/** Lanes that may have gone because of a piece of work. Plain data. */
export interface LossRecord {
  /** How many, in shares of them. */
  readonly lanes: number;
  /** What has ended it there, where that was told: the latest of each code, at most {@link MOST_REASONS} of them. */
  readonly reasons: readonly Breakage[];
}

export const NO_LOSSES: LossRecord = { lanes: 0, reasons: [] };

/** What is to be done with what a task of kind `K` brings. All of it is called inside the transaction of a turn. */
export interface WorkSpec<M extends Kinds<M>, K extends keyof M> {
  readonly task: M[K]['task'];
  /** How much of a lane it takes, in units of about one small file. */
  readonly units: number;
  /** Lane on which the work before it ran. */
  readonly lane?: number;
  /** Records a part; the kinds whose tasks tell parts have it. */
  part?(part: M[K]['part'], turn: Turn<M>): void;
  /** Records the result. `lane` is where the task ran. */
  done(result: M[K]['result'], turn: Turn<M>, lane: number): void;
  /**
   * The lane is gone, and nobody knows how far the task came: it is given up, and offered again under names that nobody
   * has had. Absent where a task can simply be done once more: it is then submitted again as it is.
   *
   * @param losses lanes that may have gone because of it: for the work that is offered in its place
   */
  lost?(turn: Turn<M>, losses: LossRecord): void;
  /** Lanes that may have gone because of what was tried before in its place; none when left out. */
  readonly losses?: LossRecord;
  /** What it works on, as people know it: for a task that brings its lanes down. */
  readonly subject?: () => string;
}

/** A piece of work, as the engine holds it: whatever its kind, results of that kind alone reach it. */
export interface Work<M extends Kinds<M>> {
  readonly message: TaskMessage<M>;
  readonly units: number;
  readonly lane: number | undefined;
  part(message: PartMessage<M>, turn: Turn<M>): void;
  done(message: ResultMessage<M>, turn: Turn<M>, lane: number): void;
  /** Whether so many lanes have gone with it that one more names it: then nothing else should go with it. */
  readonly alone: boolean;
  /** @param blame what speaks for it that the work is why the lane is gone */
  lost(turn: Turn<M>, blame: Blame): void;
}

/** Lanes that a task may bring down before the job ends with its name. */
const MOST_LOSSES = 3;
/** What the end of a job by losses names. */
const MOST_REASONS = 3;

/** A way to make work of the kinds `M`: task, result and what is done with it are tied by the kind. */
export function workOf<M extends Kinds<M>>() {
  return <K extends keyof M>(kind: K, spec: WorkSpec<M, K>): Work<M> => {
    const message: TaskMessage<M, K> = { kind, task: spec.task };
    let losses = spec.losses ?? NO_LOSSES;
    const work: Work<M> = {
      message,
      units: spec.units,
      lane: spec.lane,
      get alone() {
        return losses.lanes >= MOST_LOSSES - 1;
      },
      part(told, turn) {
        if (!isPartOf<M, K>(kind, told)) throw wrongKind(kind, told.kind);
        spec.part?.(told.part, turn);
      },
      done(answer, turn, lane) {
        if (!isResultOf<M, K>(kind, answer)) throw wrongKind(kind, answer.kind);
        spec.done(answer.result, turn, lane);
      },
      lost(turn, { share, broken }) {
        losses = withLoss(losses, share, broken);
        if (losses.lanes >= MOST_LOSSES) {
          turn.stop(withReasons(broken ? errorOf(broken) : broughtDown(kind, spec.subject?.()), losses, broken));
          return;
        }
        if (spec.lost) spec.lost(turn, losses);
        else turn.give(work);
      },
    };
    return work;
  };
}

function isPartOf<M extends Kinds<M>, K extends keyof M>(
  kind: K,
  message: { readonly kind: keyof M },
): message is PartMessage<M, K> {
  return message.kind === kind;
}

/** Whether a result is one of a kind. */
export function isResultOf<M extends Kinds<M>, K extends keyof M>(
  kind: K,
  message: { readonly kind: keyof M },
): message is ResultMessage<M, K> {
  return message.kind === kind;
}

function withLoss({ lanes, reasons }: LossRecord, share: number, broken: Breakage | undefined): LossRecord {
  const others = broken ? [...reasons.filter(({ code }) => code !== broken.code), broken] : reasons;
  return { lanes: lanes + share, reasons: others.slice(-MOST_REASONS) };
}

/** The last loss must not hide that others had another reason. */
function withReasons({ code, message }: ClfsError, { reasons }: LossRecord, last: Breakage | undefined): ClfsError {
  const before = reasons.filter((reason) => reason !== last).map((reason) => reason.message.replace(/\.$/, ''));
  if (before.length === 0) return new ClfsError(code, message);
  return new ClfsError(code, `${message.replace(/\.$/, '')}. Before that: ${before.join('; ')}.`);
}

function broughtDown(kind: PropertyKey, subject = ''): ClfsError {
  return new ClfsError(
    'worker',
    `${MOST_LOSSES} workers in a row have gone while they worked on ${subject === '' ? 'the same task' : subject} (a task of kind ${String(kind)}). Find out why they end (their logs, their memory), then begin again where it stopped.`,
  );
}

function wrongKind(wanted: PropertyKey, told: PropertyKey): Error {
  return new Error(`A task of kind ${String(wanted)} was answered as one of kind ${String(told)}.`);
}

/** How a plan goes on: work of a further stage, work that comes later (`Engine.wake` tells of it), or none. */
export type Advance = 'next' | 'wait' | 'end';

/** What a job is made of: gives work as long as there is any. It knows its state, and nothing of lanes and threads. */
export interface Plan<M extends Kinds<M>> {
  /**
   * Results have been recorded, if any: called once in each turn, inside its transaction, also while the job stops and is
   * given nothing new.
   */
  recorded?(): void;
  /** Gives work while there is room, inside the turn's transaction. Called again and again; giving nothing is fine. */
  next(turn: Turn<M>): void;
  /** Nothing runs and nothing was given: goes on to the next stage. */
  advance(): Advance;
  /** Bytes that are known to be left of long work: tells whether more lanes are worth their start. */
  bytesAhead(): number;
}

/** Where the state of a job is. */
export interface Transactions {
  /** Runs `change` as one transaction that is durable when this returns; whatever throws undoes all of it. */
  transact<T>(change: () => T): T;
}
