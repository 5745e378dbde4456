import type { Report } from './findings.js';
import type { LoadIds } from './fsck-context.js';

/** Loads that are told apart; a container of more than one is odd, of so many it is rubbish. */
const MOST_LOADS = 100;

/** Counts which loads inodes say they are of: without a root nothing else tells which is the container's. */
export interface LoadCount {
  count(ids: LoadIds, name: string): void;
  /** Tells of every load but the one that most inodes are of. */
  report(report: Report): void;
}

/** A count that is empty. */
export function countLoads(): LoadCount {
  const loads = new Map<string, { inodes: number; readonly first: string }>();
  return {
    count({ fsid, containerId }, name) {
      const key = `${fsid}/${containerId}`;
      const load = loads.get(key);
      if (load) load.inodes++;
      else if (loads.size < MOST_LOADS) loads.set(key, { inodes: 1, first: name });
    },
    report(report) {
      const [main, ...others] = [...loads.values()].sort((a, b) => b.inodes - a.inodes);
      for (const { inodes, first } of others) {
        const are = inodes === 1 ? 'One inode is' : `${inodes} inodes are`;
        report(
          'error',
          'load-ids',
          undefined,
          first,
          `${are} of another load than most, which are ${main.inodes}: the fsid or container id is another. This is the first.`,
        );
      }
    },
  };
}
