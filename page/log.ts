import { card, h } from './dom.js';

const LEVEL = /^\S+ (DEBUG|INFO|WARNING|ERROR) /;

/** The end of the log: it follows what comes, unless somebody reads further up. */
export class LogPanel {
  readonly #lines = h('pre', { class: 'log', tabindex: '0', role: 'region', 'aria-label': 'Log' });
  #shown: string | undefined;

  element(title: string): HTMLElement {
    return card(title, this.#lines);
  }

  /** @param isOver whether nothing more comes */
  show(lines: readonly string[], isOver: boolean): void {
    const text = lines.length === 0 ? `Nothing ${isOver ? 'was said' : 'has been said yet'}.` : lines.join('\n');
    if (text === this.#shown) return;
    this.#shown = text;
    const { scrollTop, scrollHeight, clientHeight } = this.#lines;
    const follows = scrollTop + clientHeight >= scrollHeight - 8;
    this.#lines.replaceChildren(
      ...(lines.length === 0
        ? [h('span', { class: 'empty' }, text)]
        : lines.map((line) => h('span', { class: LEVEL.exec(line)?.[1].toLowerCase() ?? 'info' }, `${line}\n`))),
    );
    if (follows) this.#lines.scrollTop = this.#lines.scrollHeight;
  }
}
