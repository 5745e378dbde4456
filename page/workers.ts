import type { PageWorker, PageWorkers } from '../src/page/model.js';
import { card, h, show } from './dom.js';
import { byteRate, bytes, count, counted, few, moment, rate } from './format.js';

/** Workers on other machines: it is there when there are some. */
export class WorkersPanel {
  readonly #content = h('div');
  readonly element = card('Workers on other machines', this.#content);

  constructor() {
    this.element.hidden = true;
  }

  /** @param isOver whether the job does not run: then all is as it stood last */
  show(workers: PageWorkers, isOver: boolean): void {
    this.element.hidden = workers.rows.length === 0;
    show(
      this.#content,
      h('p', { class: 'sum' }, sumText(workers, isOver)),
      h(
        'table',
        { class: 'workers' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            h('th', { scope: 'col' }, 'Worker'),
            h('th', { scope: 'col' }, 'Since'),
            ...['Threads', 'Tasks', 'Units', 'Sent or received'].map((name) =>
              h('th', { class: 'number', scope: 'col' }, name),
            ),
          ),
        ),
        h('tbody', {}, ...workers.rows.map((worker) => row(worker, isOver))),
      ),
    );
  }
}

function sumText({ present, slow, troubled, gone, rows }: PageWorkers, isOver: boolean): string {
  const parts = [
    `${counted(present, 'workers')} ${isOver ? 'took part to the end' : present === 1 ? 'takes part' : 'take part'}`,
    ...(slow > 0 ? [`${count(slow)} much slower than the others`] : []),
    ...(troubled > 0
      ? [`${count(troubled)} ${isOver ? 'waited' : troubled === 1 ? 'waits' : 'wait'} for an answer`]
      : []),
    ...(gone > 0 ? [`${count(gone)} ${gone === 1 ? 'has' : 'have'} gone`] : []),
  ];
  const left = present + gone - rows.length;
  const more = left > 0 ? ` ${count(left)} of them are not listed here.` : '';
  return `${parts.join(', ')}. A unit is about one small file.${more}`;
}

function row(worker: PageWorker, isOver: boolean): HTMLElement {
  const { threads, tasks, sinceMs, goneMs } = worker;
  const isAtWork = !isOver && goneMs === undefined;
  return h(
    'tr',
    goneMs === undefined ? {} : { class: 'gone' },
    nameCell(worker),
    h('td', { class: 'when', 'data-name': 'Since' }, moment(sinceMs)),
    number('Threads', count(threads)),
    number('Tasks', isAtWork ? count(tasks) : '–'),
    amount('Units', isAtWork && rate(worker.unitsPerSecond), few(worker.units)),
    // Nothing goes to a service where the container is on disk.
    worker.bytes === 0
      ? number('Sent or received', '–')
      : amount('Sent or received', isAtWork && byteRate(worker.bytesPerSecond), bytes(worker.bytes)),
  );
}

/** Who it is, and what there is to say of it. */
function nameCell({ name, slow, trouble, goneMs }: PageWorker): HTMLElement {
  const gone = goneMs === undefined ? undefined : `has gone at ${moment(goneMs)}: ${trouble ?? ''}`;
  return h(
    'td',
    {},
    h('span', { class: 'path' }, name),
    slow && h('span', { class: 'mark' }, 'much slower than the others'),
    gone === undefined
      ? trouble !== undefined && h('span', { class: 'mark' }, trouble)
      : h('span', { class: 'reason' }, gone),
  );
}

/** What is done a second, with all that was done below it; that alone where nothing is done any more. */
function amount(name: string, perSecond: string | false, all: string): HTMLElement {
  return perSecond === false ? number(name, all) : number(name, perSecond, h('small', {}, `${all} in all`));
}

/** Where it is narrow, the name of the column stands beside it. */
function number(name: string, text: string, more?: HTMLElement): HTMLElement {
  return h('td', { class: 'number', 'data-name': name }, text, more);
}
