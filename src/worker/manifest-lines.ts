import { createHash, type Hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Attributes } from '../format/attributes.js';
import { formatManifestEntry, type ManifestFacts, toManifestEntry } from '../manifest/manifest-entry.js';
import { stopped } from './breakage.js';
import { changedWhileRead } from './item.js';

const PIECE_BYTES = 4 * 1048576;

/** The line of each path of an inode. */
export function manifestLines(paths: readonly Uint8Array[], attributes: Attributes, facts: ManifestFacts): string[] {
  return paths.map((path) => formatManifestEntry(toManifestEntry(path, attributes, facts)));
}

export function newHash(): Hash {
  return createHash('sha256');
}

/**
 * Reads a whole file for its SHA-256; its segments were read by several threads, in no order.
 *
 * @throws ClfsError `entry`: `entry-changed` when it is shorter; `cancelled` when the job stops
 */
export async function hashFile(
  read: (target: Buffer, position: number) => number | Promise<number>,
  sizeBytes: number,
  stop: { readonly asked: boolean },
): Promise<string> {
  const hash = newHash();
  const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, sizeBytes));
  for (let at = 0; at < sizeBytes; at += piece.length) {
    const wanted = piece.subarray(0, sizeBytes - at);
    if ((await read(wanted, at)) !== wanted.length) throw changedWhileRead();
    hash.update(wanted);
    await setImmediate();
    if (stop.asked) throw stopped();
  }
  return hash.digest('hex');
}
