import { join } from 'node:path';
import { counted, escapePath, type FailureGroup } from '../index.js';
import type { ResumeText } from './resume-text.js';

/** What is left of a job when it ends. */
export interface Ending {
  readonly done: number;
  readonly failed: number;
  /** Undefined where it is not known. */
  readonly pending: number | undefined;
  readonly failures: readonly FailureGroup[];
  /** Of the source or target: what paths of failures are below. */
  readonly root: Uint8Array;
  /** Undefined when the job left none. */
  readonly statePath: string | undefined;
  readonly logFile: string | undefined;
  /** Undefined when there is nothing to go on with. */
  readonly resume: ResumeText | undefined;
}

/** Says what was done, what failed and why, where the rest is told, and how to go on. @returns lines */
export function endingLines(ending: Ending): readonly string[] {
  const { done, failed, pending, statePath, logFile, resume } = ending;
  if (failed === 0 && !resume) return [];
  const lines = [
    `${counted(done, 'entries')} done, ${failed} failed${pending === undefined ? '' : `, ${pending} pending`}.`,
    ...failureLines(ending),
  ];
  const files = [
    ...(failed > 0 && statePath !== undefined ? failureFiles(statePath) : []),
    ...(logFile === undefined ? [] : [`${logFile} (log)`]),
  ];
  if (files.length > 0) lines.push(moreLine(files));
  return resume ? [...lines, ...resumeLines(resume, pending === 0 && failed > 0)] : lines;
}

/** Where all that failed is told. */
export function failureFiles(statePath: string): readonly string[] {
  return [`${join(statePath, 'problems.txt')} (paths)`, `${join(statePath, 'failures.jsonl')} (with reasons)`];
}

export function moreLine(files: readonly string[]): string {
  return `More: ${files.join(', ')}`;
}

/** How to go on. @param isRetry whether nothing is left but what failed */
export function resumeLines({ command, before }: ResumeText, isRetry = false): readonly string[] {
  return [
    ...(before === undefined ? [] : [`Before going on, ${before}`]),
    `${isRetry ? 'To try what failed again' : 'To go on'}: ${command}`,
  ];
}

/** Each reason with its first paths. */
export function failureLines({ failures, root }: Pick<Ending, 'failures' | 'root'>): readonly string[] {
  return failures.flatMap(({ reason, entries, names, first }) => [
    `Failed, ${reason}: ${counted(entries, 'entries')}${names > entries ? ` (${names} names)` : ''}`,
    ...first.map((path) => `  ${escapePath(below(root, path)) || '.'}`),
    ...(names > first.length ? ['  …'] : []),
  ]);
}

function below(root: Uint8Array, path: Uint8Array): Uint8Array {
  if (root.length === 0 || path.length === 0) return Buffer.concat([root, path]);
  return Buffer.concat([root, Buffer.from(root.at(-1) === 0x2f ? '' : '/'), path]);
}
