import { type Asker, askHere } from '../engine/asker.js';
import { LANE_UNITS } from '../engine/lane-loads.js';
import { fileSize } from '../namespace/content.js';
import type { BlockReference, ContainerReader, FoundInode } from '../namespace/reader.js';
import type { WalkedEntry } from '../namespace/walk.js';
import { quotePath } from '../text/escape-path.js';
import type { Report } from './findings.js';
import { createAuditContext } from './tasks/context.js';
import { AUDIT_EXECUTORS } from './tasks/executors.js';
import type { AuditKinds } from './tasks/kinds.js';

/** Segments that are read by one task, and how much of a lane each takes. */
const SEGMENTS_A_TASK = 16;
const SEGMENT_UNITS = 32;

/**
 * Has lanes read the segments of files, while the check of the structure goes on. Its findings are reported when they
 * come.
 */
export class ContentCheck {
  readonly #report: Report;
  readonly #crew: Asker<AuditKinds>;
  readonly #running = new Set<Promise<void>>();
  #units = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(reader: ContainerReader, crew: Asker<AuditKinds> | undefined, report: Report) {
    this.#report = report;
    this.#crew =
      crew ??
      askHere(
        AUDIT_EXECUTORS,
        createAuditContext({ geometry: reader.geometry, compare: undefined }, reader, undefined),
      );
  }

  /** A way to have the segments of one file read. To be ended. */
  begin(entry: WalkedEntry, found: FoundInode): FileContentCheck {
    let blocks: BlockReference[] = [];
    const send = () => {
      if (blocks.length === 0) return undefined;
      const sent = blocks;
      blocks = [];
      return this.#send(entry, found, sent);
    };
    return {
      add(reference) {
        blocks.push(reference);
        return blocks.length < SEGMENTS_A_TASK ? undefined : send();
      },
      end: send,
    };
  }

  /** Waits until all have been read. @throws what reading them threw */
  async finish(): Promise<void> {
    await this.#fallTo(0);
  }

  #send(entry: WalkedEntry, found: FoundInode, blocks: readonly BlockReference[]): Promise<void> | undefined {
    const units = blocks.length * SEGMENT_UNITS;
    const task = {
      owner: found.id,
      sizeBytes: fileSize(found),
      ctimeSeconds: found.inode.attributes.ctime.seconds,
      blocks,
    };
    this.#units += units;
    const running = this.#crew
      .ask('segments', task, units, { subject: () => quotePath(entry.path) })
      .then(({ findings }) => {
        for (const { severity, code, object, message } of findings)
          this.#report(severity, code, entry.path, object ?? found.blob.name, message);
      })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#units -= units;
        this.#running.delete(running);
      });
    this.#running.add(running);
    const limit = this.#crew.lanes * LANE_UNITS;
    return this.#units < limit ? undefined : this.#fallTo(limit / 2);
  }

  async #fallTo(units: number): Promise<void> {
    while (this.#units > units && !this.#failure) await Promise.race(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
}

/** See {@link ContentCheck.begin}. What is returned is to be waited for: enough is under way. */
export interface FileContentCheck {
  add(reference: BlockReference): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}
