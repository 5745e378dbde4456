import { Tally } from '../books/tally.js';
import { objectKindOf } from '../format/names.js';
import type { WorkContext } from './context.js';
import type { SurveyResult, SurveyTask } from './tasks.js';

/** Most names of foreign blobs that are reported. */
const MOST_OTHERS = 1000;

/** Tallies the part of the container whose names begin with a prefix. */
export async function surveyContainer(task: SurveyTask, context: WorkContext): Promise<SurveyResult> {
  const tally = new Tally();
  const others: string[] = [];
  let apartFound = false;
  for await (const page of context.container.list(task.prefix)) {
    for (const { name, sizeBytes } of page) {
      const kind = objectKindOf(name);
      if (name === task.apart) apartFound = true;
      else if (kind !== undefined) tally.add(kind, name, sizeBytes);
      else if (others.length < MOST_OTHERS) others.push(name);
    }
  }
  return { tally: tally.encode(), others, apartFound };
}
