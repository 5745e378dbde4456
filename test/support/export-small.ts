import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from '../../src/container/container.js';
import { exportJob } from '../../src/export/export-job.js';
import type { ExportJobOptions, ExportProgress, ExportSummary } from '../../src/export/options.js';
import type { Geometry } from '../../src/format/geometry.js';
import { SMALL } from './check.js';

/** How an export in the calling thread ended. */
export type SmallExport = ExportProgress &
  Pick<ExportSummary, 'status' | 'error' | 'statePath' | 'salvage'> & { readonly failures: readonly string[] };

/**
 * Exports a container of the small geometry in the calling thread, as a job of its own.
 *
 * @param base directory for its state
 */
export async function exportSmall(
  container: Container,
  base: string,
  target: string,
  options: Partial<ExportJobOptions> & { readonly geometry?: Geometry } = {},
): Promise<SmallExport> {
  const failures: string[] = [];
  const { geometry = SMALL, internals, ...others } = options;
  const summary = await exportJob({
    container: '/unused',
    target,
    statePath: join(mkdtempSync(join(base, 'export-')), 'state'),
    onFailure: (path) => failures.push(path.toString()),
    ...others,
    internals: { container, geometry, ...internals },
  });
  const { status, error, statePath, progress, salvage } = summary;
  return { ...progress, status, error, statePath, salvage, failures: failures.sort() };
}
