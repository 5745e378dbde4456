import { inspectSas } from '../container/azure/sas.js';
import type { ParsedContainer } from '../container/open-container.js';
import { freeSpaceWarnings } from '../state/free-space.js';

/** Warnings of what may stop a job later, as far as it can be known before. @returns whole sentences */
export function warningsBefore(destination: ParsedContainer, statePath: string, nowMs: number): readonly string[] {
  const sas = destination.place.kind === 'azure' ? inspectSas(destination.query, nowMs).warnings : [];
  return [...sas, ...freeSpaceWarnings(statePath)];
}
