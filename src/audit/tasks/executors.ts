import type { Executors } from '../../engine/kinds.js';
import { compareRange } from './compare-content.js';
import { compareDirectory } from './compare-directory.js';
import { compareEntries } from './compare-entries.js';
import type { AuditContext } from './context.js';
import { hashFile } from './hash.js';
import type { AuditKinds } from './kinds.js';
import { checkSegments } from './segments.js';

/**
 * What a lane does that reads a container whole. What is wrong with an entry is in the result.
 *
 * They throw a ClfsError when the container or the program fails: the job stops.
 */
export const AUDIT_EXECUTORS: Executors<AuditKinds, AuditContext> = {
  hash: hashFile,
  segments: checkSegments,
  directory: compareDirectory,
  entries: compareEntries,
  range: compareRange,
};
