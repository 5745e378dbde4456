import { type Command, Option } from 'commander';
import { escapeText, type OpenPage, openPage, type PageOptions, redact } from '../index.js';
import type { ProgressFigures } from './progress/figures.js';
import type { Verb, VerbIo } from './verbs/verb.js';

/** `--page`. */
export function pageOption(): Option {
  return new Option(
    '--page [host:port]',
    'serve a page that shows how it goes, to be opened in a browser; the address is told (default place: 127.0.0.1 and a free port)',
  );
}

/**
 * Opens a page when it is wanted, and tells where it is.
 *
 * @param listen of `--page`; undefined: none is wanted
 * @param say gets whole sentences for the user, and for no log
 */
export async function jobPage(
  listen: string | undefined,
  options: Pick<PageOptions, 'statePath' | 'command'>,
  say: (text: string) => void,
): Promise<OpenPage | undefined> {
  if (listen === undefined) return undefined;
  const page = await servedPage(listen, options);
  for (const text of pageTexts(page)) say(text);
  return page;
}

/** Opens a page, by the token of the environment where there is one. */
export function servedPage(listen: string, options: Pick<PageOptions, 'statePath' | 'command'>): Promise<OpenPage> {
  return openPage({ ...options, listen, token: process.env.CLFSLOAD_PAGE_TOKEN || undefined });
}

/** Where a page is, and what the user should know of that. */
export function pageTexts({ url, warning }: OpenPage): readonly string[] {
  const chosen = process.env.CLFSLOAD_PAGE_TOKEN ? ' (TOKEN is that of CLFSLOAD_PAGE_TOKEN)' : '';
  return [`The page of this job: ${url}${chosen}`, ...(warning === undefined ? [] : [`WARNING: ${warning}`])];
}

const FIGURES_MS = 1000;
/** How a page says what an exit code does. */
const ENDINGS: Readonly<Record<number, string>> = { 0: 'Completed', 1: 'Found', 2: 'Unchecked' };

/**
 * A verb that has no state, with a page when it is wanted: it shows what the line of progress does.
 *
 * @param says whether what is written is told on the page too: few lines, for people
 */
export function paged(run: Verb['run'], says = true): Verb['run'] {
  return async (command, io) => {
    const { page: listen } = command.opts<{ page?: string }>();
    const page = await jobPage(listen, { command: commandOf(command) }, io.complain);
    if (!page) return run(command, io);
    const shown: Shown = { figures: undefined };
    let code = 2;
    try {
      code = await run(command, watched(io, page, shown, says));
      return code;
    } finally {
      const { done, bytes = 0, failed = 0 } = shown.figures?.() ?? { done: 0 };
      await page.close({ finalStatus: ENDINGS[code] ?? '', done, failed, bytes });
    }
  };
}

/** Where a command stands, as it was told last. */
interface Shown {
  figures: (() => ProgressFigures) | undefined;
}

/** What a command is about; no SAS is in it. */
function commandOf(command: Command): { readonly title: string; readonly from: string } {
  const [title = ''] = command.name().split(' ').slice(-1);
  const shown = command.args.map((arg) => escapeText(redact(arg.replace(/^(https?:[^?]*)\?.*$/is, '$1'))));
  return { title, from: shown.join(' · ') };
}

/** Output that a page sees too; figures once a second. */
function watched(io: VerbIo, page: OpenPage, shown: Shown, says: boolean): VerbIo {
  let toldMs = Number.NEGATIVE_INFINITY;
  return {
    signal: io.signal,
    async write(bytes) {
      if (says && typeof bytes === 'string' && bytes !== '') page.say(bytes);
      await io.write(bytes);
    },
    complain(text) {
      page.say(text);
      io.complain(text);
    },
    progress(figures) {
      io.progress(figures);
      shown.figures = figures;
      const now = performance.now();
      if (now - toldMs < FIGURES_MS) return;
      toldMs = now;
      page.show(figures());
    },
  };
}
