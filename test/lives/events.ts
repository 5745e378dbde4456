import { SOURCE_ACTIONS, type SourceAction } from './source-actions.js';

/** What can go wrong with a call to the container. */
export const CALL_FAULTS = [
  'error',
  'answer lost',
  'late arrival',
  'late twin',
  'stall',
  'crash before',
  'crash after',
] as const;
export type CallFault = (typeof CALL_FAULTS)[number];

/** What can go wrong with a commit of the state. */
export const COMMIT_FAULTS = ['error', 'crash before', 'crash after'] as const;
export type CommitFault = (typeof COMMIT_FAULTS)[number];

/** What can go wrong with a call to the source; an outage is that all of them fail for a while. */
export const SOURCE_FAULTS = ['error', 'crash before', 'stale', 'timed out', 'hang', 'outage'] as const;
export type SourceFault = (typeof SOURCE_FAULTS)[number];

/** What can go wrong with a call to the container by a process that may be frozen: before it is sent, or before it is answered. */
export const FREEZES = ['freeze before', 'freeze after'] as const;

/** What can happen to workers, to what is between them and their driver, and to the driver. */
export const CREW_HAPPENINGS = [
  'worker freezes',
  'driver freezes',
  'worker dies',
  'worker leaves',
  'worker comes',
  'worker is cut off',
  'driver is cut off',
  'server is away',
  'server is killed',
  'puts take long',
] as const;
export interface CrewHappening {
  readonly kind: (typeof CREW_HAPPENINGS)[number];
  /** Which of the workers. */
  readonly pick: number;
  /** How long. */
  readonly ms: number;
}

/** What can happen at any moment, beside faults. */
export type Happening =
  | { readonly kind: 'signal' }
  | { readonly kind: 'clock'; readonly ms: number }
  | { readonly kind: 'second process' }
  | { readonly kind: 'second job' }
  | { readonly kind: 'mount'; readonly isMounted: boolean }
  | { readonly kind: 'rename mount' }
  | { readonly kind: 'copy state' }
  | { readonly kind: 'restore state' }
  | { readonly kind: 'source'; readonly action: SourceAction };

/** Something that happens in a session at a call, a commit, a timer or a message of this number. */
export type LifeEvent = { readonly at: number } & (
  | {
      readonly on: 'call';
      readonly what:
        | Happening
        | { readonly kind: CallFault /** For late ones: calls after which it arrives. */; readonly later: number }
        | { readonly kind: (typeof FREEZES)[number]; readonly ms: number };
    }
  | { readonly on: 'commit'; readonly what: Happening | { readonly kind: CommitFault } }
  | { readonly on: 'source'; readonly what: Happening | { readonly kind: SourceFault } }
  | { readonly on: 'timer'; readonly what: Happening }
  | { readonly on: 'message'; readonly what: CrewHappening }
);

export function isCrewHappening(what: LifeEvent['what']): what is CrewHappening {
  return (CREW_HAPPENINGS as readonly string[]).includes(what.kind);
}

/** A kind of event as the tally of a run has it. */
export function labelOf(event: Pick<LifeEvent, 'on' | 'what'>): string {
  const { on, what } = event;
  if (isCrewHappening(what)) return what.kind;
  if (what.kind === 'source') return `source: ${what.action.kind}`;
  if (what.kind === 'mount') return what.isMounted ? 'mounted' : 'unmounted';
  if (what.kind === 'clock') return what.ms < 0 ? 'clock back' : 'clock forward';
  if (isOneOf(what, ['signal', 'second process', 'second job', 'rename mount', 'copy state', 'restore state']))
    return what.kind;
  return `${on}: ${what.kind}`;
}

function isOneOf(what: LifeEvent['what'], kinds: readonly LifeEvent['what']['kind'][]): boolean {
  return kinds.includes(what.kind);
}

/** Every kind of event: each must have happened in a run. */
export const EVENT_LABELS: readonly string[] = [
  ...CALL_FAULTS.map((kind) => `call: ${kind}`),
  ...COMMIT_FAULTS.map((kind) => `commit: ${kind}`),
  ...SOURCE_FAULTS.map((kind) => `source: ${kind}`),
  ...SOURCE_ACTIONS.map((kind) => `source: ${kind}`),
  'signal',
  'clock back',
  'clock forward',
  'second process',
  'second job',
];

/** Every kind of event in lives with workers, beside {@link EVENT_LABELS}. */
export const CREW_LABELS: readonly string[] = [
  ...CREW_HAPPENINGS,
  ...FREEZES.map((kind) => `call: ${kind}`),
  ...['dropped', 'doubled', 'delayed', 'cut off', 'given out again'].map((kind) => `message: ${kind}`),
  'worker: takes part',
  'worker: lost its lease',
  'worker: lost with tasks',
];

/** Every kind of event in lives with small limits, beside {@link EVENT_LABELS}. */
export const LIMITS_LABELS: readonly string[] = ['mounted', 'unmounted', 'rename mount', 'copy state', 'restore state'];
