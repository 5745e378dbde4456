import { workOf } from '../../engine/work.js';
import type { LoadKinds } from '../../worker/tasks.js';

/** Makes a piece of a load's work. */
export const work = workOf<LoadKinds>();

/** Units of a task that lists a directory, or looks at some of its entries. */
export const LIST_UNITS = 8;
/** Units of a task that writes a part of a directory, or the end of a large file. */
export const OBJECT_UNITS = 8;
