import type { Container } from '../container/container.js';
import type { ObjectFinder } from '../namespace/object-finder.js';
import { type IndexOptions, indexContainer, type ObjectIndex } from '../namespace/object-index.js';
import type { ContainerReader, ReaderOverlay } from '../namespace/reader.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { findSalvage } from './find-salvage.js';
import type { Salvage, SalvageOptions } from './salvage.js';

/** A salvage, and a reader of its tree. To be closed. */
export interface OpenSalvage extends Salvage {
  readonly reader: ContainerReader;
  readonly index: ObjectIndex;
}

/**
 * Lists a container, and finds what can be salvaged of it.
 *
 * @param readerBy makes a reader of the container
 * @throws as `indexContainer` and {@link findSalvage}
 */
export async function openSalvage(
  container: Container,
  readerBy: (finder: ObjectFinder, overlay?: ReaderOverlay) => ContainerReader,
  options: IndexOptions & SalvageOptions,
): Promise<OpenSalvage> {
  const index = await indexContainer(container, options);
  try {
    const salvage = await findSalvage(readerBy(index), index, options);
    // Not all directories of the tree are in the index.
    const finder: ObjectFinder = { find: (id) => index.find(id), idSet: () => new SpilledSet() };
    const close = () => {
      salvage.close();
      index.close();
    };
    return { ...salvage, reader: readerBy(finder, salvage.overlay), index, close };
  } catch (error) {
    index.close();
    throw error;
  }
}
