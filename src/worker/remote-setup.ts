import type { ContainerPlace } from '../container/open-container.js';
import type { RunSettings } from '../job/load-spec.js';
import type { TreeEvidence } from '../source/same-tree.js';
import type { JobConstants } from './tasks.js';

/** What a worker elsewhere is told of a load before its first task. Plain data; what lets it into the container is not in it. */
export interface RemoteLoadSetup {
  readonly kind: 'load';
  readonly place: ContainerPlace;
  readonly constants: JobConstants;
  readonly settings: Pick<RunSettings, 'retryWindowMs' | 'lateArrivalMs'>;
  /** What the source must be. */
  readonly source: TreeEvidence;
  /** UUID of the container's bucket object; undefined where the service does not give it back. */
  readonly bucketUuid: string | undefined;
  /** Program and LZ4 library: the same ones build the same bytes. */
  readonly encoder: string;
}
