import type { FoundFailures, PageModel, PageReport } from '../src/page/model.js';
import { Charts } from './charts.js';
import { card, h, show } from './dom.js';
import { FAILED, FailuresPanel, FOUND, type Search } from './failures.js';
import { moment, percent } from './format.js';
import { LogPanel } from './log.js';
import {
  alerts,
  atWork,
  details,
  directories,
  header,
  hero,
  listing,
  shareOf,
  sizes,
  stateOf,
  tiles,
  types,
} from './panels.js';
import { WorkersPanel } from './workers.js';

/** What the server sends: what has changed of the model. */
type Update = Partial<Omit<PageModel, 'series'>> & {
  /** Rows from this one on are these now. */
  readonly series?: { readonly from: number; readonly rows: PageModel['series'] };
};

/** After how long a refused page asks again. */
const AGAIN_MS = 5000;
/** Failures that are shown at once. */
const ROWS_AT_ONCE = 25;

/** The whole page. */
class Page {
  readonly #header = h('header');
  readonly #alerts = h('div', { class: 'alerts', role: 'status' });
  readonly #hero = h('section', { class: 'card hero' });
  readonly #tiles = h('section', { class: 'tiles' });
  readonly #atWork = h('div');
  readonly #details = h('div');
  readonly #listing = h('div');
  readonly #types = h('div');
  readonly #sizes = h('div');
  readonly #directories = h('div');
  readonly #foot = h('footer');
  readonly #charts: Charts;
  readonly #failures: FailuresPanel;
  readonly #workers = new WorkersPanel();
  readonly #log = new LogPanel();

  constructor(model: PageModel, search: Search) {
    const isJob = model.job.kind !== 'command';
    this.#charts = new Charts(model.job.unit, isJob);
    this.#failures = new FailuresPanel(search, isJob ? FAILED : FOUND);
    document.body.replaceChildren(
      this.#header,
      this.#alerts,
      this.#hero,
      this.#tiles,
      this.#charts.element,
      ...(isJob
        ? [
            h('div', { class: 'columns' }, card('At work', this.#atWork), card('The job', this.#details)),
            this.#workers.element,
            h('div', { class: 'columns' }, card('Files by size', this.#sizes), card('Entries by type', this.#types)),
            card('Largest directories', this.#directories),
            ...(model.job.kind === 'load' ? [card('The listing of the container', this.#listing)] : []),
          ]
        : [this.#workers.element]),
      this.#failures.element,
      this.#log.element(model.job.kind === 'command' ? 'What it says' : 'The end of the log'),
      this.#foot,
    );
  }

  show({ job, now, series, census, failures, workers, log }: PageModel): void {
    const share = shareOf(now);
    const { text } = stateOf(now);
    document.title = `${now.state === 'running' && share !== undefined ? percent(1000 * share) : text} · ${job.title} · clfsload`;
    show(this.#header, ...header(job, now));
    show(this.#alerts, ...alerts(now));
    show(this.#hero, ...hero(job, now));
    show(this.#tiles, ...tiles(job, now, failures));
    show(this.#atWork, ...atWork(now));
    show(this.#details, details(job, now));
    show(this.#listing, listing(now));
    show(this.#types, types(census));
    show(this.#sizes, sizes(census));
    show(this.#directories, directories(census));
    const hasEnded = now.state === 'stopped' || now.state === 'finished';
    this.#charts.show(series, hasEnded);
    this.#workers.show(workers, hasEnded);
    this.#failures.show(failures);
    this.#log.show(log, hasEnded);
  }

  foot(...children: (Node | string)[]): void {
    show(this.#foot, ...children);
  }
}

/** A report: it has everything in it. */
function showReport({ model, failures }: PageReport): void {
  const search: Search = async (words, after) => {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = failures.rows.filter(({ path, reason, message }) => {
      const text = `${path}\n${reason}\n${message}`.toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const end = after + ROWS_AT_ONCE;
    return { rows: fitting.slice(after, end), ...(end < fitting.length ? { next: end } : {}) };
  };
  const page = new Page(model, search);
  page.show(model);
  const isWhole = failures.rows.length >= model.failures.listed;
  const all = model.job.kind === 'command' ? 'found' : 'failed; failures.jsonl beside it has all';
  const more = isWhole ? '' : ` It has the first of what ${model.job.kind === 'command' ? 'was ' : ''}${all}.`;
  page.foot(`A report of ${moment(model.now.atMs)}.${more}`);
}

/** The page of a program that runs: it tells what changes. */
function showLive(): void {
  let model: PageModel | undefined;
  let page: Page | undefined;
  const search: Search = async (words, after) => {
    const response = await fetch(`failures?${new URLSearchParams({ q: words, after: String(after) }).toString()}`);
    if (!response.ok) throw new Error(String(response.status));
    return (await response.json()) as FoundFailures;
  };
  const links = () => [
    h('a', { href: 'report.html', download: 'report.html' }, 'Report'),
    ' · ',
    // A command has no state.
    ...(model?.job.kind === 'command' ? [] : [h('a', { href: 'status.json' }, 'Status'), ' · ']),
    h('a', { href: 'metrics' }, 'Metrics'),
  ];
  const say = (text: string, isLive: boolean) => {
    document.body.classList.toggle('lost', !isLive);
    page?.foot(h('span', { class: isLive ? 'live' : 'late' }, text), ...(isLive ? [' · ', ...links()] : []));
  };
  const follow = () => {
    const events = new EventSource('events');
    events.onmessage = ({ data }) => {
      const { series, ...update } = JSON.parse(data as string) as Update;
      const before = model?.series ?? [];
      const isOther = update.job !== undefined && JSON.stringify(update.job) !== JSON.stringify(model?.job);
      model = {
        ...(model as PageModel),
        ...update,
        series: series ? [...before.slice(0, series.from), ...series.rows] : before,
      };
      // What it is becomes known when the job has begun.
      if (!page || isOther) page = new Page(model, search);
      page.show(model);
      say(`Live, as of ${moment(model.now.atMs)}`, true);
    };
    events.addEventListener('end', () => {
      events.close();
      const kept = model?.job.kind === 'load' ? ' report.html in the state directory keeps this page.' : '';
      say(`The program has ended.${kept}`, false);
    });
    events.onerror = () => {
      say('The program does not answer. The page goes on when it does.', false);
      // A browser tries again by itself where nothing answers, and not where it is refused: too many look on, or something
      // in between does not reach the program.
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, AGAIN_MS);
    };
  };
  follow();
}

const report = JSON.parse(document.getElementById('report')?.textContent ?? 'null') as PageReport | null;
if (report) showReport(report);
else showLive();
