/** One blob as a listing shows it. */
export interface BlobInfo {
  readonly name: string;
  readonly sizeBytes: number;
}

/** Options of {@link Container.put}. */
export interface PutOptions {
  /** Only if no blob of this name exists. */
  readonly onlyNew?: boolean;
}

/** What is in a container as long as somebody has it open, and in no copy of it. Plain data. */
export interface ContainerProbe {
  /** Name by which {@link Container.get} finds it; no listing shows it. */
  readonly name: string;
  readonly token: string;
}

/** What tells the file of a blob from copies of it, on whatever machine: of a copy both are others. Plain data. */
export interface BlobMark {
  readonly inode: bigint;
  /** When it was last changed, by its file system. */
  readonly changedNs: bigint;
}

/**
 * A flat set of blobs: the port behind which Azure Blob Storage, a local directory or memory stands.
 *
 * Trouble of the service is retried inside, within the retry window; what comes out is final. Every call may throw
 * ClfsError with `access-denied`, `container-missing`, `service`, `service-unavailable` or `cancelled`.
 * `test/support/container-contract.ts` is the contract that every implementation passes.
 */
export interface Container {
  /**
   * Stores a whole blob, in place of one of the same name. Readers see the old bytes or the new ones, never a mixture.
   *
   * `body` must not change until the promise is settled.
   *
   * @throws ClfsError `exists` with `onlyNew` when there is one; a retried create can meet itself: read back and
   * compare
   */
  put(name: string, body: Uint8Array, options?: PutOptions): Promise<unknown>;
  /**
   * Reads a blob.
   *
   * @param limitBytes refuses a longer one before it is in memory
   * @throws ClfsError `not-found`; `format` when it is longer than the limit; `unreadable` when it alone cannot be
   * read, while the container answers
   */
  get(name: string, limitBytes: number): Promise<Buffer>;
  /** Takes back what {@link get} gave, of which nobody has any part any more: its memory may be used again. */
  giveBack?(blob: Buffer): void;
  /** Blobs whose names begin with `prefix`, in no promised order, page by page. */
  list(prefix: string): AsyncIterable<readonly BlobInfo[]>;
  /** Whether a listing by a prefix costs what it finds, so that parts of a container are listed side by side. */
  readonly listsByPrefix: boolean;
  /** Removes a blob; one that is not there counts as removed. */
  delete(name: string): Promise<void>;
  /** Makes every put and delete that has returned durable. */
  flush(): Promise<void>;
  /** Removes what unfinished puts and probes left behind; only when no other process writes. */
  tidy(): Promise<void>;
  /** Makes a probe, until this is closed. Undefined where an address is that of one container. */
  makeProbe?(): Promise<ContainerProbe>;
  /** What tells a blob from a copy; absent where an address is that of one container. @returns undefined: it is not there */
  markOf?(name: string): Promise<BlobMark | undefined>;
  /** Resolves when it makes sense to prepare another put; undefined when that is now. */
  ready(): Promise<void> | undefined;
  /** Longest time, in milliseconds, after which a put that was given up can still take effect. */
  readonly lateArrivalMs: number;
  /**
   * Until when a put that was given up without a certain end can take effect, on the monotonic clock; 0 when there is
   * none.
   */
  readonly uncertainUntilMs: number;
  close(): Promise<void>;
}

/** Whether a container holds no blob at all. */
export async function isEmpty(container: Container): Promise<boolean> {
  for await (const page of container.list('')) if (page.length > 0) return false;
  return true;
}
