import { LANE_UNITS } from '../../engine/lane-loads.js';
import { workOf } from '../../engine/work.js';
import type { ExportKinds } from '../tasks/kinds.js';

/** Makes a piece of an export's work. */
export const work = workOf<ExportKinds>();

/** Units of a task that reads a directory, or begins or ends a large file. */
export const OBJECT_UNITS = 8;
/** So that a lane has two ranges of a large file at once: one is fetched while the other is written. */
export const RANGE_UNITS = LANE_UNITS / 2;
/** The lane of the calling thread, which the driver has whoever else takes part. */
export const OWN_LANE = 0;
