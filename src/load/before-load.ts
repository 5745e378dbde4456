import { inspectSas } from '../container/azure/sas.js';
import type { ParsedContainer } from '../container/open-container.js';
import { freeSpaceWarnings } from '../state/free-space.js';

/** What can be known to stand in a job's way before it begins. @returns whole sentences */
export function warningsBefore(destination: ParsedContainer, statePath: string, nowMs: number): readonly string[] {
  const sas = destination.place.kind === 'azure' ? inspectSas(destination.query, nowMs).warnings : [];
  return [...sas, ...freeSpaceWarnings(statePath)];
}
