import type { FoundFailures, PageModel } from './model.js';

/** What a page is about. */
export interface PageContent {
  /** As it stands now. Never throws. */
  look(): PageModel;
  /** @param limit of rows; default: as many as are shown at once @throws ClfsError `state` */
  search(words: string, after: number, limit?: number): FoundFailures;
  /** What `status` says of it, in the form of docs/output.schema.json; undefined while there is nothing to say. */
  status(): object | undefined;
}
