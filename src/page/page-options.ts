import type { CommandFigures } from './command-content.js';
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

/** A page that is served. */
export interface OpenPage {
  /** Where it is, without the token: for a log. */
  readonly address: string;
  /** Where it is, to be opened in a browser; `TOKEN` stands for a token that the caller has chosen. A secret. */
  readonly url: string;
  /** What the user should know of the place that was chosen; undefined: nothing. */
  readonly warning: string | undefined;
  /** Tells which job it is about, when its state directory has become known. */
  about(statePath: string): void;
  /** Tells where a command stands. */
  show(figures: CommandFigures): void;
  /** Adds lines to what a command has said. */
  say(text: string): void;
  /** Tells who looks on how it ended, and serves nothing more. @param ending of a job that leaves no state behind */
  close(ending?: PageEnding): Promise<void>;
}
