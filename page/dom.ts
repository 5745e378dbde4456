type Child = Node | string | undefined | false;

interface Attributes {
  readonly class?: string;
  readonly title?: string;
  readonly id?: string;
  readonly [name: string]: string | undefined;
}

/**
 * Makes an element. Text is text, whatever is in it: nothing that comes from a job is ever read as HTML.
 *
 * @param children what is `undefined` or `false` is left out
 */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  for (const child of children) if (child !== undefined && child !== false) element.append(child);
  return element;
}

/** Makes a card with a heading. */
export function card(title: string, ...children: Child[]): HTMLElement {
  return h('section', { class: 'card' }, h('h2', {}, title), ...children);
}

/** Names and values, one under another. */
export function facts(pairs: readonly (readonly [name: string, value: string] | undefined)[]): HTMLElement {
  const list = h('dl', { class: 'facts' });
  for (const pair of pairs) {
    if (!pair) continue;
    list.append(h('dt', {}, pair[0]), h('dd', {}, pair[1]));
  }
  return list;
}

/** A bar that is filled as far as `share` says. */
export function bar(share: number, kind = ''): HTMLElement {
  const fill = h('span', { class: 'fill' });
  fill.style.width = `${100 * Math.max(0, Math.min(1, share))}%`;
  // What it shows stands beside it in words.
  return h('span', { class: `bar ${kind}`, 'aria-hidden': 'true' }, fill);
}

/** Puts other children into an element, if they say something else: what is read or marked stays as it is. */
export function show(element: Element, ...children: Child[]): void {
  const next = h('div', {}, ...children);
  if (next.innerHTML === element.innerHTML) return;
  element.replaceChildren(...next.childNodes);
}
