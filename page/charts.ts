import uPlot from 'uplot';
import { type PageSeries, SERIES_COLUMNS, type SeriesColumn } from '../src/page/model.js';
import { card, h, show } from './dom.js';
import { byteRate, count, few, moment, rate, worked } from './format.js';

/** One line of a chart. */
interface Line {
  readonly label: string;
  /** Name of its colour in the style sheet. */
  readonly colour: string;
  readonly value: (row: Row) => number;
  readonly text: (value: number) => string;
  readonly axis?: 'right';
}

/** A chart: its lines share the axis of time with all others. */
interface Chart {
  readonly title: string;
  readonly axes: readonly [left: (value: number) => string, right?: (value: number) => string];
  readonly lines: readonly Line[];
  /** Of a job only: a command without a state does not tell. */
  readonly ofJob?: boolean;
  /** Of a command it is there only when one of these is not 0. */
  readonly counts?: SeriesColumn;
  /** Whether it says anything of this job; default: always. */
  readonly when?: (rows: readonly Row[]) => boolean;
}

type Row = Readonly<Record<SeriesColumn, number>>;

const perSecond = (of: SeriesColumn) => (row: Row) => (1000 * row[of]) / Math.max(1, row.spanMs);
const perMinute = (of: SeriesColumn) => (row: Row) => 60 * perSecond(of)(row);
const level = (of: SeriesColumn) => (row: Row) => row[of];
const tenth = (value: number) => (value < 10 && value !== Math.round(value) ? value.toFixed(1) : few(value));

/** Of what there are no halves. */
const wholes = (value: number) => (Number.isInteger(value) ? few(value) : '');

const CHARTS: readonly Chart[] = [
  {
    title: 'Entries a second',
    axes: [tenth],
    lines: [{ label: 'entries', colour: '--one', value: perSecond('entries'), text: rate }],
  },
  {
    title: 'Bytes a second',
    axes: [(value) => byteRate(value).replace('/s', '')],
    lines: [{ label: 'file data', colour: '--two', value: perSecond('bytes'), text: byteRate }],
    counts: 'bytes',
  },
  {
    title: 'The service: requests in flight, retries, throttling',
    axes: [tenth, tenth],
    lines: [
      { label: 'in flight', colour: '--one', value: level('inFlight'), text: tenth },
      { label: 'retries / min', colour: '--warn', value: perMinute('retries'), text: tenth, axis: 'right' },
      { label: 'throttled / min', colour: '--bad', value: perMinute('throttled'), text: tenth, axis: 'right' },
    ],
    ofJob: true,
    when: (rows) => rows.some(({ requests }) => requests > 0),
  },
  {
    title: 'At work: lanes, workers, calls of the source',
    ofJob: true,
    axes: [wholes],
    lines: [
      { label: 'lanes', colour: '--one', value: level('lanes'), text: tenth },
      { label: 'workers', colour: '--two', value: level('workers'), text: tenth },
      { label: 'calls of the source', colour: '--three', value: level('sourceCalls'), text: tenth },
    ],
  },
];

/** Distances of marks on the axis of time, in seconds. */
const NICE_SECONDS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 432_000,
  864_000, 2_592_000,
];
const HEIGHT = 170;
const SHORTEST_ROWS = 2;

/** The charts over the whole time of a job. The time between its sessions is left out. */
export class Charts {
  readonly element: HTMLElement;
  readonly #places: readonly { readonly chart: Chart; readonly body: HTMLElement; readonly card: HTMLElement }[];
  readonly #drawn = new Map<Chart, uPlot>();
  readonly #unit: string;
  readonly #isJob: boolean;
  #rows: readonly Row[] = [];
  #isOver = false;

  /** @param unit what is counted, in the plural @param isJob whether there is more to tell than of a command */
  constructor(unit: string, isJob: boolean) {
    this.#unit = unit;
    this.#isJob = isJob;
    this.#places = CHARTS.filter(({ ofJob }) => isJob || !ofJob).map((chart) => {
      const body = h('div', { class: 'chart', role: 'group', 'aria-label': chart.title });
      return { chart, body, card: card(chart.title, body) };
    });
    this.element = h('div', { class: 'charts' }, ...this.#places.map((place) => place.card));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#redraw());
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  /** @param isOver whether nothing more comes */
  show(series: PageSeries, isOver: boolean): void {
    this.#isOver = isOver;
    this.#rows = series.map(
      (row) => Object.fromEntries(SERIES_COLUMNS.map((name, at) => [name, row[at]])) as unknown as Row,
    );
    for (const { chart, body, card } of this.#places) {
      const { counts } = chart;
      card.hidden = !this.#isJob && counts !== undefined && !this.#rows.some((row) => row[counts] > 0);
      if (!card.hidden) this.#showOne(chart, body);
    }
  }

  #showOne(chart: Chart, body: HTMLElement): void {
    const enough = this.#rows.length >= SHORTEST_ROWS && (chart.when?.(this.#rows) ?? true);
    if (!enough) {
      this.#drawn.get(chart)?.destroy();
      this.#drawn.delete(chart);
      show(body, h('p', { class: 'empty' }, this.#whyEmpty()));
      return;
    }
    const data = this.#data(chart);
    const drawn = this.#drawn.get(chart);
    if (drawn) drawn.setData(data);
    else {
      body.replaceChildren();
      this.#drawn.set(chart, new uPlot(this.#options(chart, body), data, body));
    }
  }

  #whyEmpty(): string {
    if (this.#rows.length >= SHORTEST_ROWS) return 'No requests: the container is a directory of this machine.';
    return this.#isOver
      ? 'The work was over before there was a line to draw.'
      : 'The first figures come after some seconds of work.';
  }

  #data({ lines }: Chart): uPlot.AlignedData {
    const rows = this.#rows;
    let workedMs = 0;
    const ends = rows.map(({ spanMs }) => {
      workedMs += spanMs;
      return workedMs / 1000;
    });
    // A line begins where the work does.
    return [[0, ...ends], ...lines.map(({ value }) => [value(rows[0]), ...rows.map(value)])];
  }

  #options({ lines, axes }: Chart, body: HTMLElement): uPlot.Options {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const grid = { stroke: colour('--line'), width: 1 };
    const axis = (values: (value: number) => string, side: 1 | 3): uPlot.Axis => ({
      scale: side === 3 ? 'y' : 'right',
      side,
      size: 56,
      stroke: colour('--soft'),
      font: '12px system-ui, sans-serif',
      grid: side === 3 ? grid : { show: false },
      ticks: { show: false },
      values: (_chart, splits) => splits.map(values),
    });
    return {
      width: Math.max(200, body.clientWidth),
      height: HEIGHT,
      padding: [20, axes[1] ? 0 : 12, 0, 0],
      cursor: { sync: { key: 'job' }, drag: { x: true, y: false }, points: { size: 6 } },
      legend: { live: true },
      scales: {
        x: { time: false },
        y: { range: (_chart, _low, high) => [0, top(high)] },
        right: { range: (_chart, _low, high) => [0, top(high)] },
      },
      axes: [
        {
          stroke: colour('--soft'),
          font: '12px system-ui, sans-serif',
          size: 34,
          grid: { show: false },
          ticks: grid,
          space: 70,
          incrs: [...NICE_SECONDS],
          values: (_chart, splits) => splits.map(worked),
        },
        axis(axes[0], 3),
        ...(axes[1] ? [axis(axes[1], 1)] : []),
      ],
      series: [
        { label: 'at', value: (_chart, seconds, _series, at) => this.#timeText(seconds, at) },
        ...lines.map(({ label, colour: name, text, axis: side }) => ({
          label: label === 'entries' ? this.#unit : label,
          scale: side ?? 'y',
          stroke: colour(name),
          fill: lines.length === 1 ? `${colour(name)}26` : undefined,
          width: 2,
          points: { show: false },
          value: (_chart: uPlot, value: number | null) => (value === null ? '–' : text(value)),
        })),
      ],
      hooks: {
        drawAxes: [(chart) => this.#drawSessions(chart, colour('--soft'))],
        setCursor: [(chart) => this.#latest(chart)],
        setData: [(chart) => this.#latest(chart)],
        ready: [(chart) => this.#latest(chart)],
      },
    };
  }

  /** Where nobody points, the legend tells of the end. */
  #latest(chart: uPlot): void {
    if (chart.cursor.idx === null || chart.cursor.idx === undefined) chart.setLegend({ idx: this.#rows.length }, false);
  }

  #timeText(seconds: number | null, at: number | null): string {
    if (seconds === null || at === null) return '–';
    const row = this.#rows[Math.max(0, at - 1)];
    return row ? moment(row.endMs) : worked(seconds);
  }

  /** A dashed line where a session began. */
  #drawSessions(chart: uPlot, colour: string): void {
    const { ctx, bbox } = chart;
    let workedMs = 0;
    ctx.save();
    ctx.strokeStyle = colour;
    ctx.fillStyle = colour;
    ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    ctx.textAlign = 'left';
    ctx.textBaseline = 'alphabetic';
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const [at, { session, spanMs }] of this.#rows.entries()) {
      if (at > 0 && session !== this.#rows[at - 1].session) {
        const x = Math.round(chart.valToPos(workedMs / 1000, 'x', true));
        if (x >= bbox.left && x <= bbox.left + bbox.width) {
          ctx.beginPath();
          ctx.moveTo(x, bbox.top);
          ctx.lineTo(x, bbox.top + bbox.height);
          ctx.stroke();
          ctx.fillText(`session ${count(session)}`, x + 4 * devicePixelRatio, bbox.top - 5 * devicePixelRatio);
        }
      }
      workedMs += spanMs;
    }
    ctx.restore();
  }

  #fit(): void {
    for (const { chart, body } of this.#places)
      this.#drawn.get(chart)?.setSize({ width: Math.max(200, body.clientWidth), height: HEIGHT });
  }

  /** Colours are those of the other scheme now. */
  #redraw(): void {
    for (const drawn of this.#drawn.values()) drawn.destroy();
    this.#drawn.clear();
    for (const { chart, body, card } of this.#places) {
      const { counts } = chart;
      card.hidden = !this.#isJob && counts !== undefined && !this.#rows.some((row) => row[counts] > 0);
      if (!card.hidden) this.#showOne(chart, body);
    }
  }
}

/** The upper end of an axis: nothing is drawn at its very top. */
function top(high: number | null): number {
  return high === null || high <= 0 ? 1 : high * 1.1;
}
