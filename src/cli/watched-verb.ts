import { type Command, Option } from 'commander';
import { type CommandWatcher, commandReport, escapeText, redact } from '../index.js';
import { jobPage } from './job-page.js';
import { textPath } from './local-path.js';
import type { ProgressFigures } from './progress/figures.js';
import type { Verb, VerbIo } from './verbs/verb.js';

const FIGURES_MS = 1000;
/** How a page says what an exit code does. */
const ENDINGS: Readonly<Record<number, string>> = { 0: 'Completed', 1: 'Found', 2: 'Unchecked' };

/** `--html`. */
export function htmlOption(): Option {
  return new Option(
    '--html <file>',
    'write the page, with what was found by kind and the first 2,000 of it, to a file that opens in a browser',
  );
}

/**
 * A verb that has no state, with a page and a report when they are wanted: they show what the line of progress does, what
 * was said, and what was found.
 *
 * @param says whether what is written is told there too: few lines, for people
 */
export function paged(run: Verb['run'], says = true): Verb['run'] {
  return async (command, io) => {
    const { page: listen, html } = command.opts<{ page?: string; html?: string }>();
    const file = html === undefined ? undefined : textPath(html, 'the report');
    const about = commandOf(command);
    const report = file === undefined ? undefined : await commandReport(about);
    // A place that cannot be written to is told of before the work.
    if (file !== undefined) report?.write(file);
    const page = await jobPage(listen, { command: about }, io.complain);
    const watchers = [page, report].flatMap((watcher) => watcher ?? []);
    if (watchers.length === 0) return run(command, io);
    const shown: Shown = { figures: undefined };
    let code = 2;
    const show = () => {
      const at = shown.figures?.();
      if (at) for (const watcher of watchers) watcher.show(at);
    };
    // Also while no entry comes to its end, as of a tree of a few huge files.
    const timer = setInterval(show, FIGURES_MS).unref();
    try {
      code = await run(command, watched(io, watchers, shown, says));
      return code;
    } finally {
      clearInterval(timer);
      const last = shown.figures?.() ?? { label: '', unit: 'entries', done: 0 };
      // Told at most once a second, it may be that of the work before.
      for (const watcher of watchers) watcher.show(last);
      const { done, bytes = 0, failed = 0 } = last;
      const ending = { finalStatus: ENDINGS[code] ?? '', done, failed, bytes };
      await page?.close(ending);
      if (file !== undefined) report?.write(file, ending);
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

/** Output that others see too; figures once a second. */
function watched(io: VerbIo, watchers: readonly CommandWatcher[], shown: Shown, says: boolean): VerbIo {
  let toldMs = Number.NEGATIVE_INFINITY;
  const tell = (text: string) => {
    for (const watcher of watchers) watcher.say(text);
  };
  return {
    signal: io.signal,
    async write(bytes) {
      if (says && typeof bytes === 'string' && bytes !== '') tell(bytes);
      await io.write(bytes);
    },
    complain(text) {
      tell(text);
      io.complain(text);
    },
    endsByItself: io.endsByItself,
    service: io.service,
    found(finding) {
      io.found(finding);
      for (const watcher of watchers) watcher.found(finding);
    },
    progress(figures) {
      io.progress(figures);
      shown.figures = figures;
      const now = performance.now();
      if (now - toldMs < FIGURES_MS) return;
      toldMs = now;
      const at = figures();
      for (const watcher of watchers) watcher.show(at);
    },
  };
}
