/** What authorizes every request; its owner may change it at any time. */
export interface Authorization {
  /** Query fields, such as a SAS without its `?`. */
  query: string;
  /** An access token; empty when there is none. */
  bearer: string;
}
