import { escapeJson, escapeText } from '../index.js';
import type { ProgressFigures } from './progress/figures.js';
import { StatusLine } from './progress/status-line.js';
import { print, progressStream, teller } from './standard-streams.js';

/** Types of the JSON lines, in azcopy's words. */
type MessageType = 'Init' | 'Info' | 'Progress' | 'EndOfJob' | 'Error';

/** Where a job stands, in each form in which it is said. */
export interface JobProgress {
  /** For JSON. */
  content(): unknown;
  /** In azcopy's words, for a terminal of so many columns; undefined: for a pipe. */
  azcopyLine(columns: number | undefined): string;
  figures(): ProgressFigures;
}

/** Where messages for the user go, and in which form. */
export interface MessageOutput {
  /** How often {@link progress} is to be called, in milliseconds. */
  readonly progressMs: number;
  /** A line for people, such as `INFO: …`. */
  info(text: string): void;
  /** What ends the program. */
  error(text: string): void;
  /** Where the job is logged: in JSON only. */
  init(content: unknown): void;
  progress(progress: JobProgress): void;
  /** Takes the line of progress away: nothing of the job runs any more. */
  endProgress(): void;
  endOfJob(text: string, content: unknown): void;
  /** A result other than the end of a job; in JSON, an Info whose content is JSON. @throws OutputError */
  report(text: string, content: unknown): void;
}

/** Forms of output, as `--output-type` names them. */
export const OUTPUT_TYPES = ['text', 'json', 'none'] as const;
export type OutputType = (typeof OUTPUT_TYPES)[number];

/** How much is said, as `--output-level` names it. */
export const OUTPUT_LEVELS = ['default', 'essential', 'quiet'] as const;
export type OutputLevel = (typeof OUTPUT_LEVELS)[number];

/** In whose way progress is shown: azcopy's line, every 2 seconds, or that of all other commands. */
export type ProgressForm = 'azcopy' | 'own';

/** Time between two progress messages of azcopy. Source: docs/output.md 1.1 */
const AZCOPY_MS = 2000;
const OWN_MS = 1000;

/** What messages are opened with. */
export interface MessageOptions {
  readonly type: OutputType;
  /** `quiet` says nothing; `essential` leaves out progress. */
  readonly level: OutputLevel;
  readonly form: ProgressForm;
}

/** Opens standard output for messages. */
export function openMessages({ type, level, form }: MessageOptions): MessageOutput {
  const stream = process.stdout;
  const write = teller(stream);
  const text = form === 'azcopy' ? azcopyText : ownText;
  const output = type === 'none' || level === 'quiet' ? silent() : type === 'json' ? json(write) : text(write, stream);
  return level === 'essential' ? { ...output, progress: () => undefined } : output;
}

function silent(): MessageOutput {
  const nothing = () => undefined;
  return {
    progressMs: AZCOPY_MS,
    info: nothing,
    error: nothing,
    init: nothing,
    progress: nothing,
    endProgress: nothing,
    endOfJob: nothing,
    report: nothing,
  };
}

function json(write: (text: string) => void): MessageOutput {
  const writeMessage = (type: MessageType, content: string, by = write) =>
    by(
      `${escapeJson(
        JSON.stringify({
          TimeStamp: timeStamp(),
          MessageType: type,
          MessageContent: content,
          PromptDetails: { PromptType: '', ResponseOptions: null, PromptTarget: '' },
        }),
      )}\n`,
    );
  return {
    progressMs: AZCOPY_MS,
    info: (message) => writeMessage('Info', message),
    error: (message) => writeMessage('Error', message),
    init: (content) => writeMessage('Init', JSON.stringify(content)),
    progress: ({ content }) => writeMessage('Progress', JSON.stringify(content())),
    endProgress: () => undefined,
    endOfJob: (_text, content) => writeMessage('EndOfJob', JSON.stringify(content)),
    report: (_text, content) => writeMessage('Info', JSON.stringify(content), print),
  };
}

/**
 * On a terminal the progress line is rewritten in place, and messages are printed over it; elsewhere each is a line.
 */
function azcopyText(write: (text: string) => void, stream: NodeJS.WriteStream): MessageOutput {
  const terminal = stream.isTTY === true;
  let line = '';
  const over = (raw: string) => {
    const message = escapeText(raw);
    if (!terminal || line === '') write(`${message}\n`);
    else write(`\r${message.padEnd(line.length)}\n\r${line}`);
  };
  const end = (message: string, by = write) => {
    by(`${terminal && line !== '' ? '\n' : ''}${escapeText(message)}\n`);
    line = '';
  };
  return {
    progressMs: AZCOPY_MS,
    info: over,
    error: over,
    init: () => undefined,
    progress({ azcopyLine }) {
      if (!terminal) write(`${azcopyLine(undefined)}\n`);
      else {
        const shown = azcopyLine(stream.columns);
        write(`\r${shown.padEnd(line.length)}`);
        line = shown;
      }
    },
    endProgress() {
      if (line !== '') write(`\r${' '.repeat(line.length)}\r`);
      line = '';
    },
    endOfJob: (message) => end(message),
    report: (message) => end(message, print),
  };
}

/** The progress line is erased before each message. */
function ownText(write: (text: string) => void, stream: typeof process.stdout): MessageOutput {
  const line = new StatusLine(progressStream(stream));
  const say = (message: string, by = write) => {
    line.clear();
    by(`${escapeText(message)}\n`);
  };
  return {
    progressMs: OWN_MS,
    info: (message) => say(message),
    error: (message) => say(message),
    init: () => undefined,
    progress: ({ figures }) => line.show(figures),
    endProgress: () => line.clear(),
    endOfJob: (message) => say(message),
    report: (message) => say(message, print),
  };
}

/** The time in RFC 3339 with nanoseconds, of which the clock knows the first six or so. */
function timeStamp(): string {
  const ns = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  const fraction = String(ns % 1_000_000_000n).padStart(9, '0');
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${fraction}Z`;
}
