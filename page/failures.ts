import type { FoundFailures, PageFailure, PageFailures } from '../src/page/model.js';
import { card, h, show } from './dom.js';
import { count, counted, moment } from './format.js';

/** Looks for failures. @param after what a search before said to go on from; 0 for the first */
export type Search = (words: string, after: number) => Promise<FoundFailures>;

const WAIT_MS = 250;

/** How it is spoken of. */
interface Words {
  readonly title: string;
  readonly search: string;
  readonly none: string;
  readonly kind: string;
}

/** Of a job. */
export const FAILED: Words = {
  title: 'What failed',
  search: 'Search what failed',
  none: 'Nothing failed.',
  kind: 'Reason',
};

/** Of a check. */
export const FOUND: Words = {
  title: 'What was found',
  search: 'Search what was found',
  none: 'Nothing was found.',
  kind: 'Kind',
};

/** What failed: by reason, and each entry by search. */
export class FailuresPanel {
  readonly element: HTMLElement;
  readonly #search: Search;
  readonly #reasons = h('div', { class: 'chips' });
  readonly #words = h('input', {
    type: 'search',
    autocomplete: 'off',
    spellcheck: 'false',
  });
  readonly #head = h('thead');
  readonly #found = h('tbody');
  readonly #none: string;
  readonly #table = h('table', { class: 'failures' }, this.#head, this.#found);
  readonly #says = h('p', { class: 'empty', role: 'status' });
  readonly #more = h('button', { type: 'button' }, 'Show more');
  readonly #body = h('div', {}, this.#reasons, this.#words, this.#table, this.#says, this.#more);
  #listed = -1;
  #next: number | undefined;
  #asked = 0;
  #timer: number | undefined;

  constructor(search: Search, words: Words) {
    this.#search = search;
    this.#none = words.none;
    this.#words.setAttribute('placeholder', `Search paths, ${words.kind.toLowerCase()}s and messages`);
    this.#words.setAttribute('aria-label', words.search);
    const names = ['Path', words.kind, 'Why', 'When'];
    this.#head.append(h('tr', {}, ...names.map((name) => h('th', { scope: 'col' }, name))));
    this.element = card(words.title, this.#body);
    this.#words.addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#look(), WAIT_MS);
    });
    this.#more.addEventListener('click', () => void this.#look(this.#next));
  }

  show({ groups, listed }: PageFailures): void {
    this.#body.classList.toggle('none', listed === 0);
    show(
      this.#reasons,
      ...groups.map(({ reason, entries }) =>
        h('button', { type: 'button', class: 'chip' }, `${reason} `, h('b', {}, count(entries))),
      ),
    );
    for (const [at, button] of [...this.#reasons.children].entries())
      (button as HTMLButtonElement).onclick = () => {
        this.#words.value = groups[at].reason;
        void this.#look();
      };
    if (listed !== this.#listed) {
      this.#listed = listed;
      void this.#look();
    }
  }

  async #look(after?: number): Promise<void> {
    const asked = ++this.#asked;
    if (this.#listed === 0) {
      this.#say(this.#none, [], false);
      return;
    }
    const words = this.#words.value.trim();
    try {
      let { rows, next } = await this.#search(words, after ?? 0);
      // It goes through so many at a time: on, until there is something to show or somebody looks for something else.
      while (rows.length === 0 && next !== undefined && asked === this.#asked) {
        this.#says.textContent = 'Searching …';
        ({ rows, next } = await this.#search(words, next));
      }
      if (asked !== this.#asked) return;
      this.#next = next;
      const shown = after === undefined ? rows.map(row) : [...[...this.#found.children], ...rows.map(row)];
      this.#say(said(shown.length, words, next !== undefined), shown as HTMLElement[], next !== undefined);
    } catch {
      if (asked === this.#asked) this.#say('The search cannot be done now: the program does not answer.', [], false);
    }
  }

  #say(text: string, rows: readonly HTMLElement[], more: boolean): void {
    this.#found.replaceChildren(...rows);
    this.#table.hidden = rows.length === 0;
    this.#more.hidden = !more;
    this.#says.textContent = text;
  }
}

function said(found: number, words: string, more: boolean): string {
  if (found === 0) return `Nothing has “${words}” in it.`;
  const what = words === '' ? `${counted(found, 'names')} shown` : `${counted(found, 'names')} with “${words}”`;
  return more ? `${what}, and there may be more.` : `${what}.`;
}

function row({ path, reason, message, attempts, timeMs }: PageFailure): HTMLElement {
  const tries = attempts > 1 ? `, ${attempts} tries` : '';
  return h(
    'tr',
    {},
    h('td', { class: 'path' }, path),
    h('td', {}, h('code', {}, reason)),
    h('td', {}, message),
    h('td', { class: 'when' }, `${moment(timeMs)}${tries}`),
  );
}
