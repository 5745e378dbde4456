import { existsSync } from 'node:fs';
import { messageOf } from '../error.js';
import { exportStatus } from '../export/export-status.js';
import { jobStatus } from '../load/job-status.js';
import { findDatabase } from '../state/state-directory.js';
import { escapeText } from '../text/escape-path.js';
import { VERSION } from '../version.js';
import type { PageContent } from './content.js';
import type { PageEnding, PageModel } from './model.js';
import { nothingYet } from './nothing-yet.js';
import { searchFailures } from './recorded-job.js';
import { RecordedModel } from './recorded-model.js';

/** A job that ends takes its state away, and tells how it ended a moment later: so long nothing is said of that. */
const UNSEEN_MS = 5000;

/** The job in a state directory, as a page shows it: also before it has begun, and when its state has gone with its end. */
export class RecordedContent implements PageContent {
  readonly #statePath: string;
  readonly #model: RecordedModel;
  #last: PageModel | undefined;
  #ending: PageEnding | undefined;
  /** Since when the state cannot be looked at. */
  #unseenSinceMs: number | undefined;

  /** @param statePath absolute */
  constructor(statePath: string) {
    this.#statePath = statePath;
    this.#model = new RecordedModel(statePath);
  }

  look(): PageModel {
    try {
      this.#last = this.#model.look();
      this.#unseenSinceMs = undefined;
    } catch (error) {
      if (!this.#last) return nothingYet(VERSION, existsSync(this.#statePath) ? [messageOf(error)] : []);
      this.#unseenSinceMs ??= performance.now();
      if (!this.#ending && performance.now() - this.#unseenSinceMs >= UNSEEN_MS)
        return unseen(this.#last, messageOf(error), hasState(this.#statePath));
    }
    return this.#ended(this.#last);
  }

  search(words: string, after: number, limit?: number) {
    return searchFailures(this.#statePath, words, after, limit);
  }

  status(): object | undefined {
    if (this.#last?.job.kind === 'export' || this.#look()?.job.kind === 'export') return exportStatus(this.#statePath);
    return this.#last === undefined ? undefined : jobStatus(this.#statePath);
  }

  /** The job has ended so. */
  end(ending: PageEnding): void {
    this.#ending = ending;
  }

  #look(): PageModel | undefined {
    this.look();
    return this.#last;
  }

  /** An export that was complete takes its state away: what it said at its end is known all the same. */
  #ended(model: PageModel): PageModel {
    if (!this.#ending || hasState(this.#statePath)) return model;
    const { finalStatus, ...counts } = this.#ending;
    const state = finalStatus === 'Completed' ? 'finished' : 'stopped';
    const now = { ...model.now, ...counts, finalStatus, state, phase: model.job.phases.at(-1) ?? '' } as const;
    return { ...model, now };
  }
}

/** What was seen last, of a state that cannot be looked at any more: nothing in it is of now. */
function unseen(model: PageModel, reason: string, isThere: boolean): PageModel {
  const { now } = model;
  const notes = [...now.notes, escapeText(`${reason} What is shown was seen before that.`)];
  const rates = { entriesPerSecond: undefined, bytesPerSecond: undefined, secondsLeft: undefined };
  const state = isThere || now.state === 'finished' ? now.state : 'stopped';
  return { ...model, now: { ...now, ...rates, state, notes } };
}

function hasState(statePath: string): boolean {
  try {
    return existsSync(findDatabase(statePath));
  } catch {
    return false;
  }
}
