import type { SeriesRow } from '../state/job-series.js';
import { type PageSeries, SERIES_COLUMNS } from './model.js';

/** The past of a job as the page takes it. */
export function seriesOf(rows: readonly SeriesRow[]): PageSeries {
  return rows.map((row) => SERIES_COLUMNS.map((name) => Math.round(row[name] * 100) / 100));
}
