import type { PageCensus, PageFailures, PageJob, PageNow } from '../src/page/model.js';
import { bar, facts, h } from './dom.js';
import { byteRate, bytes, count, counted, duration, few, moment, percent, rate, sizeClass } from './format.js';

/** How a job stands, in a word, and in which colour. */
export function stateOf({ state, finalStatus }: PageNow): { readonly text: string; readonly kind: string } {
  if (state === 'starting') return { text: 'Starting', kind: 'busy' };
  if (state === 'running') return { text: 'Running', kind: 'busy' };
  switch (finalStatus) {
    case 'Completed':
      return { text: 'Completed', kind: 'good' };
    case 'CompletedWithErrors':
      return { text: 'Completed with errors', kind: 'warn' };
    case 'Failed':
      return { text: 'Failed', kind: 'bad' };
    case 'Found':
      return { text: 'Something was found', kind: 'warn' };
    case 'Unchecked':
      return { text: 'Not all could be checked', kind: 'bad' };
    case 'Cancelled':
      return { text: 'Stopped', kind: 'warn' };
    default:
      return { text: state === 'finished' ? 'Ended' : 'Interrupted', kind: state === 'finished' ? 'good' : 'bad' };
  }
}

/** Whether everything has been tried, so that nothing is left to do. */
function isOver({ finalStatus, state }: PageNow): boolean {
  return state !== 'running' && (finalStatus.startsWith('Completed') || finalStatus === 'Found');
}

/** Share of the work, from 0 to 1; undefined while it is not known. */
export function shareOf(now: PageNow): number | undefined {
  if (isOver(now) && now.finalStatus !== 'CompletedWithErrors') return 1;
  return now.permille === undefined ? undefined : now.permille / 1000;
}

/** What it is and how it stands. */
export function header(job: PageJob, now: PageNow): readonly HTMLElement[] {
  const { text, kind } = stateOf(now);
  const at = job.phases.indexOf(now.phase);
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', {}, job.title),
      h('span', { class: `pill ${kind}` }, text),
      h('span', { class: 'program' }, `clfsload ${job.program}`),
    ),
    ...(job.from === '' && job.to === ''
      ? []
      : [
          h(
            'p',
            { class: 'route' },
            h('code', {}, job.from),
            job.to === '' ? undefined : h('span', { class: 'arrow' }, '→'),
            job.to === '' ? undefined : h('code', {}, job.to),
          ),
        ]),
    h(
      'ol',
      { class: 'phases', 'aria-label': 'Phases' },
      ...job.phases.map((phase, index) =>
        h(
          'li',
          index === at
            ? { class: now.state === 'running' ? 'present' : 'past', 'aria-current': 'step' }
            : { class: index < at ? 'past' : 'future' },
          phase,
        ),
      ),
    ),
  ];
}

/** The share of the work, large. */
export function hero(job: PageJob, now: PageNow): readonly HTMLElement[] {
  const share = shareOf(now);
  const { done, failed, total, bytesTotal } = now;
  const all = isOver(now) ? done + failed : total;
  const allBytes = isOver(now) ? now.bytes : bytesTotal;
  return [
    h(
      'div',
      { class: 'share' },
      h('strong', {}, share === undefined ? count(done) : percent(1000 * share)),
      h('span', {}, shareText(job, now)),
    ),
    share === undefined ? bar(0, 'large unknown') : bar(share, 'large'),
    h(
      'div',
      { class: 'lines' },
      ...line(
        'Entries',
        all === undefined || all === 0 ? undefined : (isOver(now) ? done : done + failed) / all,
        all === undefined ? `${counted(done, job.unit)} so far` : `${count(done)} of ${counted(all, job.unit)}`,
      ),
      ...(countsBytes(job, now)
        ? line(
            'Bytes',
            allBytes === undefined || allBytes === 0 ? undefined : now.bytes / allBytes,
            allBytes === undefined ? `${bytes(now.bytes)} so far` : `${bytes(now.bytes)} of ${bytes(allBytes)}`,
            'second',
          )
        : []),
    ),
  ];
}

/** A command that looks at no content has no bytes to count. */
function countsBytes(job: PageJob, now: PageNow): boolean {
  return job.kind !== 'command' || now.bytes > 0;
}

function shareText(job: PageJob, now: PageNow): string {
  if (now.state === 'starting') return 'The job has not begun yet.';
  if (now.state !== 'running') {
    const failed = now.failed > 0 ? `, ${count(now.failed)} failed` : '';
    const ended = now.finalStatus === 'CompletedWithErrors' ? 'all was tried, ' : '';
    return now.workedMs > 0 ? `${ended}worked for ${duration(now.workedMs)}${failed}` : failed.slice(2);
  }
  if (now.secondsLeft !== undefined) {
    const end = moment(now.atMs + 1000 * now.secondsLeft).slice(0, -3);
    return `${duration(1000 * now.secondsLeft)} left, until ${end}`;
  }
  return now.total === undefined ? `${job.unit} so far; how many there are is not known yet` : '';
}

function line(name: string, share: number | undefined, text: string, kind = ''): readonly HTMLElement[] {
  return [
    h('span', { class: 'name' }, name),
    share === undefined ? bar(0, 'unknown') : bar(share, kind),
    h('span', { class: 'text' }, text),
  ];
}

/** The figures that are looked at most. */
export function tiles(job: PageJob, now: PageNow, { listed }: PageFailures): readonly HTMLElement[] {
  const { workedMs, state } = now;
  const running = state === 'running';
  const mean = (amount: number) => (workedMs > 0 ? (1000 * amount) / workedMs : 0);
  const means = `mean ${rate(mean(now.done))}`;
  const byteMeans = `mean ${byteRate(mean(now.bytes))}`;
  const nothing = isOver(now) ? 'nothing' : 'nothing so far';
  return [
    running
      ? tile(`${job.unit} a second`, rate(now.entriesPerSecond ?? 0), means)
      : tile(`${job.unit} a second`, rate(mean(now.done)), 'mean'),
    ...(countsBytes(job, now)
      ? [
          running
            ? tile('file data', byteRate(now.bytesPerSecond ?? 0), byteMeans)
            : tile('file data', byteRate(mean(now.bytes)), 'mean'),
        ]
      : []),
    tile('worked', duration(workedMs), now.session > 1 ? `in ${count(now.session)} sessions` : ''),
    job.kind === 'command'
      ? tile('found', count(listed), listed === 0 ? nothing : 'see what was found', listed > 0 ? 'bad' : '')
      : tile('failed', count(now.failed), now.failed === 0 ? nothing : 'see what failed', now.failed > 0 ? 'bad' : ''),
    ...(now.requests > 0 || now.limit
      ? [
          tile('requests', few(now.requests), running ? `${count(now.inFlight ?? 0)} in flight` : ''),
          tile(
            'retries',
            count(now.retries),
            now.throttled > 0 ? `throttled ${counted(now.throttled, 'times')}` : 'never throttled',
            now.retries > 0 ? 'warn' : '',
          ),
        ]
      : []),
  ];
}

function tile(name: string, value: string, small: string, kind = ''): HTMLElement {
  return h(
    'div',
    { class: `tile ${kind}` },
    h('span', { class: 'name' }, name),
    h('strong', {}, value),
    h('small', {}, small),
  );
}

/** A job that runs records something every ten seconds, if only that it is there. */
const SILENT_MS = 60_000;

/** What needs somebody's attention. */
export function alerts(now: PageNow): readonly HTMLElement[] {
  // Read aloud where somebody listens: it changes once a minute.
  const since = (ms: number) => {
    const minutes = Math.floor((now.atMs - ms) / 60_000);
    return minutes < 1 ? `since ${moment(ms)}` : `for ${duration(60_000 * minutes)}, since ${moment(ms)}`;
  };
  const { waitingSinceMs, source, notes, listing, aliveMs } = now;
  const texts: [kind: string, text: string][] = [];
  if (now.state === 'running' && aliveMs !== undefined && now.atMs - aliveMs > SILENT_MS)
    texts.push([
      'warn',
      `The job has recorded nothing ${since(aliveMs)}: it waits for something, or hangs. Its log may tell.`,
    ]);
  if (waitingSinceMs !== undefined)
    texts.push(['warn', `The service has not answered ${since(waitingSinceMs)}. Requests are repeated until it does.`]);
  if (source?.awaySinceMs !== undefined)
    texts.push([
      'warn',
      `The source, or a file system in it, cannot be read ${since(source.awaySinceMs)}. The load goes on when it can be read.`,
    ]);
  if (source?.stalledSinceMs !== undefined)
    texts.push(['warn', `The source has not answered ${since(source.stalledSinceMs)}: ${source.stalledPath ?? ''}`]);
  if (listing && !listing.checked) texts.push(['warn', listing.text]);
  for (const note of notes) texts.push(['note', note]);
  return texts.map(([kind, text]) => h('p', { class: `alert ${kind}` }, text));
}

/** Lanes, workers, the service and the source. */
export function atWork({ state, ...now }: PageNow): readonly HTMLElement[] {
  const running = state === 'running';
  const { source } = now;
  const way =
    source && { synchronous: 'one call after another in each lane', asynchronous: 'many calls at once' }[source.way];
  const list = facts([
    running && now.lanes !== undefined
      ? ['Lanes at work', `${count(now.lanes)} of ${count(now.mostLanes ?? now.lanes)}`]
      : undefined,
    now.workers === undefined ? undefined : ['Workers on other machines', count(now.workers)],
    running && now.limit
      ? ['Requests in flight', `${count(now.inFlight ?? 0)}, at most ${count(now.limit)} at present`]
      : undefined,
    now.requests > 0 ? ['Requests', `${count(now.requests)}, of which ${count(now.retries)} were repeated`] : undefined,
    source ? ['The source is called', way ?? ''] : undefined,
    source && source.callMs > 0
      ? ['A call of the source', `${source.callMs.toFixed(source.callMs < 10 ? 1 : 0)} ms`]
      : undefined,
    source
      ? [
          'Calls in flight',
          running
            ? `${count(source.inFlight)}, at most ${count(source.mostInFlight)}`
            : `at most ${count(source.mostInFlight)}`,
        ]
      : undefined,
  ]);
  return list.childElementCount > 0 ? [list] : [empty(running ? 'Nothing is known yet.' : 'Nothing was recorded.')];
}

/** What the job is and was told. */
export function details(job: PageJob, now: PageNow): HTMLElement {
  return facts([
    ['Program', `clfsload ${job.program}`],
    job.id === '' ? undefined : ['Job', `${job.id}, session ${count(now.session)}`],
    job.statePath === '' ? undefined : ['State', job.statePath],
    ...job.settings,
    ...now.further.map(([name, value]) => [`Entries ${name}`, count(value)] as const),
    now.excluded > 0 ? ['Left out', `${counted(now.excluded, 'entries')}, not counting what is below them`] : undefined,
    now.aliveMs === undefined ? undefined : ['Seen', moment(now.aliveMs)],
  ]);
}

/** Whether the container holds what was put, and nothing else. */
export function listing({ listing: said, state }: PageNow): HTMLElement {
  if (said) return h('p', { class: said.checked ? 'good' : 'warn' }, said.checked ? '✓ ' : '! ', said.text);
  return empty(
    state === 'running'
      ? 'It comes last: before the job commits, the listing of the container is compared with the books.'
      : 'The job has not been committed: nothing has been compared yet.',
  );
}

const TYPES: Readonly<Record<string, string>> = {
  regular: 'files',
  directory: 'directories',
  symlink: 'symbolic links',
  block: 'block devices',
  char: 'character devices',
  fifo: 'fifos',
  socket: 'sockets',
};

/** Entries by type. */
export function types({ types: all }: PageCensus): HTMLElement {
  return histogram(
    [...all].sort((a, b) => b.count - a.count).map(({ name, count: value }) => [TYPES[name] ?? name, value]),
    'Nothing has been counted yet.',
  );
}

/** Files by size. */
export function sizes({ sizes: all }: PageCensus): HTMLElement {
  const first = all.findIndex(({ count: value }) => value > 0);
  return histogram(
    all.slice(Math.max(0, first)).map(({ below, count: value }, at) => {
      const before = all[Math.max(0, first) + at - 1]?.below ?? 0;
      return [sizeClass(before, below), value];
    }),
    'No file has been counted yet.',
  );
}

function histogram(rows: readonly (readonly [name: string, value: number])[], whenEmpty: string): HTMLElement {
  const most = Math.max(0, ...rows.map(([, value]) => value));
  if (most === 0) return empty(whenEmpty);
  return h(
    'div',
    { class: 'histogram' },
    ...rows.flatMap(([name, value]) => [
      h('span', { class: 'name' }, name),
      bar(value / most),
      h('span', { class: 'text' }, count(value)),
    ]),
  );
}

/** The largest directories. */
export function directories({ directories: all }: PageCensus): HTMLElement {
  const most = all.filter((each) => each.bytes > 0 || each.entries > 0).slice(0, 12);
  if (most.length === 0) return empty('No directory has been counted yet.');
  return h(
    'table',
    { class: 'directories' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, 'Directory'),
        h('th', { class: 'number', scope: 'col' }, 'Entries'),
        h('th', { class: 'number', scope: 'col' }, 'File data'),
      ),
    ),
    h(
      'tbody',
      {},
      ...most.map(({ path, entries, bytes: size }) =>
        h(
          'tr',
          {},
          h('td', { class: 'path' }, path),
          h('td', { class: 'number' }, count(entries)),
          h('td', { class: 'number' }, bytes(size)),
        ),
      ),
    ),
  );
}

function empty(text: string): HTMLElement {
  return h('p', { class: 'empty' }, text);
}
