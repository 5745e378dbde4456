/** How bad a finding is: an error harms readers or hides data; a warning harms nobody. */
export type Severity = 'error' | 'warning';

/** Something about a container that is not as the format document says. */
export interface Finding {
  readonly severity: Severity;
  /** One of the codes in `docs/errors.md`. */
  readonly code: string;
  /** Path in the container, where there is one. */
  readonly path: Uint8Array | undefined;
  /** Blob or id that it is about. */
  readonly object: string | undefined;
  readonly message: string;
}

/** Takes findings as they are made. */
export type FindingSink = (finding: Finding) => void;

/** Reports a finding, by its parts. */
export type Report = (
  severity: Severity,
  code: string,
  path: Uint8Array | undefined,
  object: string | undefined,
  message: string,
) => void;
