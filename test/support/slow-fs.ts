import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

const SOURCE = new URL('./slowfs.c', import.meta.url).pathname;

/** A directory that is seen through a file system of which each call takes a while. */
export interface SlowFileSystem {
  /** What is behind it. */
  readonly back: string;
  readonly mountPoint: string;
  /** While this file is there, what has `hold` in its path is not answered. */
  readonly hold: string;
  /** Made once something is not answered. */
  readonly held: string;
  /** While this file is there, every call fails with ETIMEDOUT. */
  readonly fail: string;
  /** While this file is there, calls are answered as its lines say: see `slowfs.c`. */
  readonly rules: string;
  unmount(): void;
}

/** What a file system does otherwise than others. */
interface SlowFsWays {
  /** Part of a path behind which capital letters are taken for small ones. */
  readonly fold?: string;
  /** Whether no name has another character than those of ASCII. */
  readonly ascii?: boolean;
  /** Whether nothing gets another mode or owner, which is not told. */
  readonly squash?: boolean;
}

/** Why there can be no slow file system here; undefined where there can. */
export function whyNoSlowFs(): string | undefined {
  if (!existsSync('/dev/fuse')) return 'there is no /dev/fuse';
  if (process.getuid?.() !== 0) return 'only root may mount here';
  if (spawnSync('pkg-config', ['--exists', 'fuse3']).status !== 0) return 'there is no libfuse3-dev';
  return spawnSync('gcc', ['--version']).status === 0 ? undefined : 'there is no gcc';
}

let program: string | undefined;
afterAll(() => {
  if (program !== undefined) rmSync(dirname(program), { recursive: true });
});

/**
 * Mounts a slow view of a new, empty directory.
 *
 * @param callUs microseconds that a call takes more
 * @param ways what it does otherwise than others
 */
export function mountSlowFs(callUs: number, { fold, ascii, squash }: SlowFsWays = {}): SlowFileSystem {
  program ??= compile();
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-slow-fs-'));
  const [back, mountPoint, hold, fail, rules] = ['back', 'mount', 'hold', 'fail', 'rules'].map((name) =>
    join(base, name),
  );
  for (const path of [back, mountPoint]) mkdirSync(path);
  const env = {
    ...process.env,
    SLOWFS_US: String(callUs),
    SLOWFS_HOLD: hold,
    SLOWFS_FAIL: fail,
    SLOWFS_RULES: rules,
    ...(fold !== undefined && { SLOWFS_FOLD: fold }),
    ...(ascii && { SLOWFS_ASCII: '1' }),
    ...(squash && { SLOWFS_SQUASH: '1' }),
  };
  execFileSync(program, [back, mountPoint, '-o', 'max_threads=256'], { env });
  return {
    back,
    mountPoint,
    hold,
    held: `${hold}.held`,
    fail,
    rules,
    unmount() {
      for (const file of [hold, `${hold}.held`, fail, rules]) rmSync(file, { force: true });
      execFileSync('umount', ['-l', mountPoint]);
      rmSync(base, { recursive: true, force: true });
    },
  };
}

function compile(): string {
  const path = join(mkdtempSync(join(tmpdir(), 'clfs-slowfs-')), 'slowfs');
  const flags = execFileSync('pkg-config', ['--cflags', '--libs', 'fuse3']).toString().trim().split(/\s+/);
  execFileSync('gcc', ['-O2', '-o', path, SOURCE, ...flags]);
  return path;
}
