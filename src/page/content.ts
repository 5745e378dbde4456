import type { FoundFailures, PageModel } from './model.js';

/** What a page is about. */
export interface PageContent {
  /** As it stands now. Never throws. */
  look(): PageModel;
  /** @throws ClfsError `state` */
  search(words: string, after: number): FoundFailures;
  /** What `status` says of it, in the form of docs/output.schema.json; undefined while there is nothing to say. */
  status(): object | undefined;
}
