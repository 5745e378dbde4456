import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { runSession } from './outside-session.js';
import type { Node, OutsideTree, Place } from './outside-tree.js';

/** Codes of `fsck` that are no fault of a loader. */
const HARMLESS = new Set(['symlink-target']);
const KINDS: Readonly<Record<string, string>> = {
  regular: 'file',
  directory: 'directory',
  symlink: 'symlink',
  fifo: 'fifo',
};

interface End {
  readonly complete: boolean;
  readonly links: boolean;
  /** A line each: the path below the root in hexadecimal, and the reason. */
  readonly failures: string;
  readonly manifest: string | undefined;
}

interface Line {
  readonly path: string;
  readonly type: string;
  readonly size: number;
  readonly sha256?: string;
  readonly target?: string;
  readonly group?: string;
}

/** Everything in which a container is not what a job had to make of a tree. */
export async function judge(tree: OutsideTree, container: string, end: End): Promise<string[]> {
  const findings: string[] = [];
  const failures = new Map(
    end.failures
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' '))
      .map(([hex = '', reason = '']) => [latin1(hex), reason]),
  );
  for (const found of (await json(['fsck', container, '--content', '--json'], findings)) as {
    code: string;
    path?: string;
    message: string;
    object?: string;
  }[]) {
    if (found.code !== undefined && !HARMLESS.has(found.code))
      findings.push(`fsck ${found.code}: ${found.path} ${found.message} ${found.object ?? ''}`);
  }
  const lines = new Map<string, Line>();
  for (const line of (await json(['manifest', container, '--hash'], findings)) as Record<string, unknown>[]) {
    const path = line.path === '.' ? '' : latin1(line.path_hex as string);
    const target = line.target_hex === undefined ? undefined : latin1(line.target_hex as string);
    lines.set(path, {
      path,
      type: line.type as string,
      size: line.size as number,
      sha256: line.sha256 as string,
      target,
      group: line.link_group as string,
    });
  }
  for (const line of lines.values()) judgeLine(tree, line, findings);
  judgeInitial(tree, lines, failures, end, findings);
  judgeFailures(tree, failures, findings);
  judgeLinks(tree, lines, end, failures, findings);
  const marks = new Map<string, string>();
  for (const line of (await json(['verify', tree.root, container, '--content', '--json'], findings)) as Record<
    string,
    unknown
  >[]) {
    if (line.mark !== undefined) marks.set(latin1(line.path_hex as string), JSON.stringify(line));
  }
  for (const place of tree.initial) {
    const mark = marks.get(place.path);
    if (mark !== undefined && isUntouched(place) && !isReported(place.path, failures))
      findings.push(`untouched, and verify says: ${mark}`);
  }
  if (end.manifest !== undefined && (end.complete || existsSync(end.manifest))) {
    const { code, output } = await runSession(
      ['verify', '--manifest', end.manifest, container, '--content'],
      [],
      false,
    );
    if (code !== 0) findings.push(`the manifest is not what the container has: ${output.slice(0, 1500)}`);
  }
  return findings;
}

/** An entry must be something that its path led to, as it was at some time. */
function judgeLine(tree: OutsideTree, line: Line, findings: string[]): void {
  const nodes = [...nodesEverAt(tree, line.path)].filter(({ kind }) => kind === KINDS[line.type]);
  if (nodes.length === 0)
    return void findings.push(`entry ${show(line.path)}: the source never had a ${line.type} there`);
  if (line.type === 'regular' && !nodes.some((node) => wasContent(node, line))) {
    findings.push(`entry ${show(line.path)}: no version of the file has these ${line.size} bytes`);
  }
  if (line.type === 'symlink' && !nodes.some(({ contents }) => contents[0]?.bytes.toString('latin1') === line.target)) {
    findings.push(`entry ${show(line.path)}: another target`);
  }
}

function wasContent({ contents }: Node, { size, sha256 }: Line): boolean {
  const possible = contents.filter(({ bytes, least }) => size >= least && size <= bytes.length);
  return possible.some(({ bytes }) => createHash('sha256').update(bytes.subarray(0, size)).digest('hex') === sha256);
}

function nodesEverAt(tree: OutsideTree, path: string): ReadonlySet<Node> {
  let nodes: ReadonlySet<Node> = new Set([tree.rootNode]);
  for (const name of path === '' ? [] : path.split('/'))
    nodes = new Set([...nodes].flatMap(({ ever }) => [...(ever.get(name) ?? [])]));
  return nodes;
}

/** What was there all the time must be in the container, or among the failures. */
function judgeInitial(
  tree: OutsideTree,
  lines: ReadonlyMap<string, Line>,
  failures: ReadonlyMap<string, string>,
  end: End,
  findings: string[],
): void {
  for (const place of tree.initial) {
    const { path, steps } = place;
    const above = steps.slice(0, -1);
    if (steps.some(({ directory, name }) => directory.disturbed.has(name))) continue;
    if (above.some(({ directory, name }) => directory.replaced.has(name))) continue;
    if (lines.has(path)) continue;
    if (!end.complete && isReported(path, failures)) continue;
    findings.push(
      `${isUntouched(place) ? 'untouched' : 'always there'} ${show(path)} (${place.node.kind}): missing in the container, and no failure names it`,
    );
  }
}

/** Nobody touched it or anything above it. */
function isUntouched({ node, steps }: Place): boolean {
  const intact = steps.every(
    ({ directory, name }) => !directory.disturbed.has(name) && !directory.replaced.has(name) && !directory.wasLocked,
  );
  return intact && !node.touched && !node.wasLocked;
}

/**
 * All can be read and is at rest: no failure may stay but that of a directory that is in the tree by another path
 * already, and of what was in a directory that is not at its place any more, since an entry is looked for in the
 * directory that was listed.
 */
function judgeFailures(tree: OutsideTree, failures: ReadonlyMap<string, string>, findings: string[]): void {
  for (const [path, reason] of failures) {
    if (reason === 'directory-reached-twice') continue;
    if (reason === 'directory-changed' && wasMoved(tree, path)) continue;
    findings.push(
      `stuck ${show(path)}: it ${tree.at(path) ? 'can be read' : 'is gone'}, and stays failed with ${reason}`,
    );
  }
}

/** A directory above a path was at another place for a time. */
function wasMoved(tree: OutsideTree, path: string): boolean {
  const names = path.split('/').slice(0, -1);
  return names.some((name, depth) =>
    [...nodesEverAt(tree, names.slice(0, depth).join('/'))].some(({ disturbed }) => disturbed.has(name)),
  );
}

function judgeLinks(
  tree: OutsideTree,
  lines: ReadonlyMap<string, Line>,
  { links }: End,
  failures: ReadonlyMap<string, string>,
  findings: string[],
): void {
  const groups = new Map<string, Line[]>();
  for (const line of lines.values()) if (line.group) groups.set(line.group, [...(groups.get(line.group) ?? []), line]);
  if (!links && groups.size > 0) findings.push('there are links that were not asked for');
  for (const group of groups.values()) {
    const [first, ...others] = group.map(({ path }) => nodesEverAt(tree, path)) as [
      ReadonlySet<Node>,
      ...ReadonlySet<Node>[],
    ];
    const common = [...first].filter((node) => others.every((nodes) => nodes.has(node)));
    if (common.length === 0)
      findings.push(`links ${group.map(({ path }) => show(path)).join(', ')}: never names of one file`);
  }
  if (!links) return;
  const places = new Map(tree.initial.map((place) => [place.path, place]));
  for (const names of tree.initialLinks.values()) {
    const there = names.filter(
      (name) => isUntouched(places.get(name) as Place) && lines.has(name) && !isReported(name, failures),
    );
    if (new Set(there.map((name) => lines.get(name)?.group ?? name)).size > 1)
      findings.push(`links ${there.map(show).join(', ')}: one file is more than one inode`);
  }
}

function isReported(path: string, failures: ReadonlyMap<string, string>): boolean {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) if (failures.has(at)) return true;
  return false;
}

async function json(args: readonly string[], findings: string[]): Promise<unknown[]> {
  const { code, output } = await runSession(args, [], false);
  const lines = output.split('\n').filter((line) => line.startsWith('{'));
  if (lines.length === 0 || code === null || code > 1)
    findings.push(`${args[0]} ended with ${code}: ${output.slice(0, 1000)}`);
  return lines.map((line) => JSON.parse(line) as unknown);
}

function latin1(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

function show(path: string): string {
  return JSON.stringify(path.replaceAll(/n{50,}/g, 'n…')) || '(root)';
}
