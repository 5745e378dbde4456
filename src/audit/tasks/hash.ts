import { createHash } from 'node:crypto';
import { breakageOf } from '../../engine/breakage.js';
import { isClfsError } from '../../error.js';
import { fileSize } from '../../namespace/content.js';
import type { FoundInode } from '../../namespace/reader.js';
import { type AuditContext, readWithinBudget } from './context.js';
import type { HashResult, HashTask } from './kinds.js';

/** Takes the SHA-256 of a regular file. */
export async function hashFile({ handle }: HashTask, context: AuditContext): Promise<HashResult> {
  return undamaged(async () => hashOf(await context.reader.inode(Buffer.from(handle)), context));
}

/** Takes the SHA-256 of a regular file whose inode has been read. */
export function hashContent(found: FoundInode, context: AuditContext): Promise<HashResult> {
  return undamaged(() => hashOf(found, context));
}

async function hashOf(found: FoundInode, context: AuditContext): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of readWithinBudget(context, found, 0, fileSize(found))) {
    hash.update(piece);
    await context.reader.pause();
  }
  return hash.digest('hex');
}

async function undamaged(work: () => Promise<string>): Promise<HashResult> {
  try {
    return { sha256: await work() };
  } catch (error) {
    if (!isClfsError(error, 'format', 'not-found')) throw error;
    return { damage: breakageOf(error) };
  }
}
