import { escapeJson, escapeText } from '../index.js';

/** Types of the JSON lines, in azcopy's words. */
type MessageType = 'Init' | 'Info' | 'Progress' | 'EndOfJob' | 'Error';

/** Where messages for the user go, and in which form. */
export interface MessageOutput {
  /** A line for people, such as `INFO: …`. */
  info(text: string): void;
  /** What ends the program. */
  error(text: string): void;
  /** Where the job is logged: in JSON only. */
  init(content: unknown): void;
  /**
   * @param text for a line that is rewritten in place @param content for JSON @param details that follow where there is
   * room
   */
  progress(text: string, content: unknown, details: string): void;
  endOfJob(text: string, content: unknown): void;
  /** A result other than the end of a job; in JSON, an Info whose content is JSON. */
  report(text: string, content: unknown): void;
}

/** Forms of output, as `--output-type` names them. */
export const OUTPUT_TYPES = ['text', 'json', 'none'] as const;
export type OutputType = (typeof OUTPUT_TYPES)[number];

/** How much is said, as `--output-level` names it. */
export const OUTPUT_LEVELS = ['default', 'essential', 'quiet'] as const;
export type OutputLevel = (typeof OUTPUT_LEVELS)[number];

/** Opens the output on a stream. `quiet` says nothing; `essential` leaves out progress. */
export function openMessages(type: OutputType, level: OutputLevel, stream: NodeJS.WriteStream): MessageOutput {
  // A reader that goes away never stops a load.
  let open = true;
  stream.on('error', () => {
    open = false;
  });
  const write = (text: string) => {
    if (open) stream.write(text);
  };
  const output = type === 'none' || level === 'quiet' ? silent() : type === 'json' ? json(write) : text(write, stream);
  return level === 'essential' ? { ...output, progress: () => undefined } : output;
}

function silent(): MessageOutput {
  const nothing = () => undefined;
  return { info: nothing, error: nothing, init: nothing, progress: nothing, endOfJob: nothing, report: nothing };
}

function json(write: (text: string) => void): MessageOutput {
  const writeMessage = (type: MessageType, content: string) =>
    write(
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
    info: (message) => writeMessage('Info', message),
    error: (message) => writeMessage('Error', message),
    init: (content) => writeMessage('Init', JSON.stringify(content)),
    progress: (_text, content) => writeMessage('Progress', JSON.stringify(content)),
    endOfJob: (_text, content) => writeMessage('EndOfJob', JSON.stringify(content)),
    report: (_text, content) => writeMessage('Info', JSON.stringify(content)),
  };
}

/**
 * On a terminal the progress line is rewritten in place, and messages are printed over it; elsewhere each is a line.
 */
function text(write: (text: string) => void, stream: NodeJS.WriteStream): MessageOutput {
  const terminal = stream.isTTY === true;
  let line = '';
  const over = (raw: string) => {
    const message = escapeText(raw);
    if (!terminal || line === '') write(`${message}\n`);
    else write(`\r${message.padEnd(line.length)}\n\r${line}`);
  };
  const end = (message: string) => {
    write(`${terminal && line !== '' ? '\n' : ''}${escapeText(message)}\n`);
    line = '';
  };
  return {
    info: over,
    error: over,
    init: () => undefined,
    progress(message, _content, details) {
      if (!terminal) write(`${message}${details}\n`);
      else {
        // A line that wraps could not be rewritten: details that do not fit are left out.
        const shown = message.length + details.length < stream.columns ? message + details : message;
        write(`\r${shown.padEnd(line.length)}`);
        line = shown;
      }
    },
    endOfJob: end,
    report: end,
  };
}

/** The time in RFC 3339 with nanoseconds, of which the clock knows the first six or so. */
function timeStamp(): string {
  const ns = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));
  const fraction = String(ns % 1_000_000_000n).padStart(9, '0');
  return `${new Date(Number(ns / 1_000_000n)).toISOString().slice(0, 19)}.${fraction}Z`;
}
