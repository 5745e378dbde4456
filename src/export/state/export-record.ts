import type { ContentRead } from '../../container/content-read.js';
import type { WorkersWish } from '../../join/open-pool.js';
import type { ContainerIdentity } from '../../namespace/identify-container.js';
import type { RootPlace } from '../../source/source-place.js';
import type { Choice } from '../choice.js';
import type { Overwrite } from '../options.js';
import type { KeptAttributes } from '../target/kept-attributes.js';
import type { NameFolding } from '../target/name-folding.js';

/** What was mounted below a target: its path in hex, and numbers as text. */
interface RecordedMount {
  readonly path: string;
  readonly inode: string;
  readonly bornNs: string;
}

/** What is the same for an export from first to last, and how it stands. No secret of the service is in it. */
export interface ExportRecord extends ContainerIdentity {
  readonly program: string;
  readonly jobId: string;
  /** A state is a job as soon as it is there; see `claimNewState`. */
  readonly begun: true;
  /** Container without its SAS. */
  readonly container: string;
  /** Path that is exported, hex. */
  readonly pathHex: string;
  /** Handle of what it leads to, hex. */
  readonly handleHex: string;
  /** Whether that is a directory, or one file. */
  readonly isTree: boolean;
  /** Hash of the container's listing by which a tree is read; missing for one file, or where an older program began. */
  readonly listing?: string;
  /** Absolute path of the directory that is written to, hex. */
  readonly targetHex: string;
  /** Inode number of that directory. */
  readonly targetInode: string;
  /** What tells it from one that was made anew and has the same number; missing where that cannot be told. */
  readonly targetPlace?: RootPlace;
  /**
   * What was mounted below it when the job began, or something was first found there; missing for one file, or where an
   * older program began it.
   */
  readonly mounts?: readonly RecordedMount[];
  /** Name of the one file in it, hex; empty for a tree. */
  readonly nameHex: string;
  /** Names that the target takes for one; missing: none. */
  readonly folding?: NameFolding;
  /** What the target keeps of attributes; missing where that is not known: all. */
  readonly kept?: KeptAttributes;
  readonly overwrite: Overwrite;
  readonly sparse: boolean;
  readonly choice: Choice;
  /** Whether root began it, who gives owners and makes devices; missing where an older program began it. */
  readonly asRoot?: boolean;
  readonly startedMs: number;
  readonly sessions: number;
  /** Whether everything has been tried, and the directories have their attributes. */
  readonly finished: boolean;
  /**
   * How long workers elsewhere of the latest session, or of one before that did not settle, can still change something
   * after its end, in milliseconds; missing where there are none.
   */
  readonly remoteLateMs?: number;
  /** Whether it began anew: what workers of sessions before still write is not what is written now. */
  readonly isAnew?: true;
  /** Names that became files of their own, since they could not be linked; missing for none. */
  readonly linkCopies?: number;
  /** Threads of the latest session, where it was told how many. */
  readonly threads?: number;
  /** Cap of the latest session, in megabits per second, where it had one. */
  readonly capMbps?: number;
  /** Where workers took part in the latest session, if they might. */
  readonly workers?: WorkersWish;
  /** What was read of content up to when the share last grew, over all sessions: how much the container compresses. */
  readonly contentRead?: Pick<ContentRead, 'contentStored' | 'contentData'>;
  /** Bytes of file data that were there already, and were not written; missing: none. */
  readonly passedBytes?: number;
  /** Thousandths of the work that are done: it only grows; missing while the number of entries is not known. */
  readonly permille?: number;
  /** Status of the latest session; empty while one runs. */
  readonly finalStatus: string;
}
