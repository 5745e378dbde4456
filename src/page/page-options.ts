import type { CommandFigures } from './command-content.js';
import type { CommandFinding } from './found.js';
import type { PageEnding } from './model.js';

/** What a page is about, and where it is served. */
export interface PageOptions {
  /** `HOST:PORT`, `[IPV6]:PORT` or `PORT`; default: 127.0.0.1 and a free port. */
  readonly listen?: string;
  /** 16 to 128 letters, digits, `-` and `_`; default: a random one. */
  readonly token?: string;
  /** State directory of the job, which need not have begun; {@link OpenPage.about} can tell it later. */
  readonly statePath?: string;
  /** In place of a job: a command without a state, which is told of by {@link OpenPage.show}. */
  readonly command?: { readonly title: string; readonly from?: string; readonly to?: string };
}

/** Who is told what a command without a state does. */
export interface CommandWatcher {
  /** Tells where it stands. */
  show(figures: CommandFigures): void;
  /** Adds lines to what it has said. */
  say(text: string): void;
  /** Tells what it has found: counted by kind, and the first of it kept. */
  found(finding: CommandFinding): void;
}

/** A report of a command without a state. */
export interface CommandReport extends CommandWatcher {
  /**
   * Writes the page with all that was told so far to a file, all of it or nothing.
   *
   * @param ending how the command ended; absent: it has not
   * @throws ClfsError `target`
   */
  write(file: string, ending?: PageEnding): void;
}

/** A page that is served. */
export interface OpenPage extends CommandWatcher {
  /** Where it is, without the token: for a log. */
  readonly address: string;
  /** Where it is, to be opened in a browser; `TOKEN` stands for a token that the caller has chosen. A secret. */
  readonly url: string;
  /** What the user should know of the place that was chosen; undefined: nothing. */
  readonly warning: string | undefined;
  /** Resolves, with the reason, when the page is served no more though nobody has closed it. */
  readonly lost: Promise<string>;
  /** Tells which job it is about, when its state directory has become known. */
  about(statePath: string): void;
  /** Tells who looks on how it ended, and serves nothing more. @param ending of a job that leaves no state behind */
  close(ending?: PageEnding): Promise<void>;
}
