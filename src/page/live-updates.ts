import type { ServerResponse } from 'node:http';
import type { PageModel, PageSeries } from './model.js';

const PARTS = ['job', 'now', 'census', 'failures', 'workers', 'log'] as const;
/** Who reads so slowly that more than this waits is told the next time. */
const MOST_WAITING_BYTES = 4 * 1048576;

/** Somebody who looks on, and what has been told. */
interface Onlooker {
  readonly response: ServerResponse;
  readonly told: Map<string, string>;
  series: PageSeries;
}

/** Tells everybody who looks on what has changed, by server-sent events. */
export class LiveUpdates {
  readonly #onlookers = new Set<Onlooker>();

  get count(): number {
    return this.#onlookers.size;
  }

  add(response: ServerResponse): void {
    const onlooker: Onlooker = { response, told: new Map(), series: [] };
    this.#onlookers.add(onlooker);
    response.on('close', () => this.#onlookers.delete(onlooker));
    response.write('retry: 2000\n\n');
  }

  tell(model: PageModel): void {
    const texts = PARTS.map((part) => [part, JSON.stringify(model[part])] as const);
    for (const onlooker of this.#onlookers) {
      const { response, told } = onlooker;
      if (response.writableLength > MOST_WAITING_BYTES) continue;
      const isNew = told.size === 0;
      const news = texts.filter(([part, text]) => told.get(part) !== text);
      for (const [part, text] of news) told.set(part, text);
      const fields = news.map(([part, text]) => `"${part}":${text}`);
      const from = sameRows(onlooker.series, model.series);
      if (isNew || from < Math.max(model.series.length, onlooker.series.length))
        fields.push(`"series":${JSON.stringify({ from, rows: model.series.slice(from) })}`);
      onlooker.series = model.series;
      response.write(fields.length > 0 ? `data: {${fields.join(',')}}\n\n` : ': still here\n\n');
    }
  }

  /** Nothing more comes. */
  end(): void {
    for (const { response } of this.#onlookers) response.end('event: end\ndata: {}\n\n');
  }
}

/** Rows at the beginning that are the same. */
function sameRows(before: PageSeries, after: PageSeries): number {
  let same = 0;
  while (same < before.length && same < after.length && isSame(before[same], after[same])) same++;
  return same;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, at) => value === b[at]);
}
