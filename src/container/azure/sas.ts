/** What can be known of a SAS before anything is asked of the service. */
export interface SasKnowledge {
  /** Whole sentences about what a load will miss; empty when nothing is known to be wrong. */
  readonly warnings: readonly string[];
  /** How long it is still good, in milliseconds; undefined when it does not say. */
  readonly remainingMs: number | undefined;
}

/** A SAS that ends within this time is likely to end before the load does. */
const SHORT_LIFE_MS = 3_600_000;

/** What a load does, and the permissions of which one is enough for it. Source: Azure Storage, Create a service SAS */
const NEEDS = [
  { what: 'write blobs', permissions: ['w'] },
  // A put needs one of the two.
  { what: 'create blobs', permissions: ['c', 'w'] },
  { what: 'delete what is left over', permissions: ['d'] },
  { what: 'list the container', permissions: ['l'] },
  { what: 'read blobs', permissions: ['r'] },
] as const;

/**
 * Looks at what a load will need of a SAS: permissions, resource, and times. Nothing is refused here; the service
 * decides.
 *
 * Permissions and times may stand in an access policy at the service, which the SAS names (`si`): these cannot be
 * known.
 *
 * @param query of the container's URL, without `?`; empty: there is no SAS, and nothing to say
 * @param nowMs time of day
 */
export function inspectSas(query: string, nowMs: number): SasKnowledge {
  const fields = new URLSearchParams(query);
  const expiryMs = timeOf(fields.get('se'));
  const remainingMs = expiryMs === undefined ? undefined : expiryMs - nowMs;
  if (query === '') return { warnings: [], remainingMs };
  const warnings = [...permissionWarnings(fields), ...resourceWarnings(fields)];
  const start = fields.get('st');
  const startMs = timeOf(start);
  if (startMs !== undefined && startMs > nowMs) {
    warnings.push(
      `The SAS is not good before ${start}, which is ${durationText(startMs - nowMs)} from now. Until then the service refuses it.`,
    );
  }
  if (remainingMs !== undefined && remainingMs <= 0)
    warnings.push(`The SAS expired at ${fields.get('se')}. Make a new one.`);
  else if (remainingMs !== undefined && remainingMs < SHORT_LIFE_MS) {
    warnings.push(
      `The SAS expires in ${durationText(remainingMs)}, at ${fields.get('se')}. A job that takes longer stops then; go on with a new SAS and --new-session=false.`,
    );
  }
  return { warnings, remainingMs };
}

function permissionWarnings(fields: URLSearchParams): string[] {
  const permissions = fields.get('sp') ?? '';
  if (permissions === '' && fields.get('si')) return [];
  const missing = NEEDS.filter((need) => !need.permissions.some((letter) => permissions.includes(letter)));
  if (missing.length === 0) return [];
  const letters = missing.map((need) => `"${need.permissions[0]}"`).join(', ');
  return [
    `The SAS lacks ${missing.length === 1 ? 'the permission' : 'the permissions'} ${letters} (sp=${permissions}): a load cannot ${missing.map((need) => need.what).join(', ')}.`,
  ];
}

/** A service SAS names its resource; an account SAS names services and kinds of resources. */
function resourceWarnings(fields: URLSearchParams): string[] {
  const kind = fields.get('srt');
  if (kind !== null) {
    const warnings: string[] = [];
    if (!fields.get('ss')?.includes('b'))
      warnings.push('The SAS is not for the Blob service (its field "ss" has no "b").');
    if (!kind.includes('c'))
      warnings.push('The SAS is not for containers (its field "srt" has no "c"): a load cannot list the container.');
    if (!kind.includes('o'))
      warnings.push(
        'The SAS is not for blobs (its field "srt" has no "o"): a load cannot write, read and delete them.',
      );
    return warnings;
  }
  const resource = fields.get('sr');
  if (resource === 'c') return [];
  return [
    `The SAS is not for a container (its field "sr" is ${JSON.stringify(resource ?? '')}, not "c"). Make one for the whole container.`,
  ];
}

function timeOf(text: string | null): number | undefined {
  const ms = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function durationText(ms: number): string {
  const minutes = Math.ceil(ms / 60_000);
  if (minutes < 120) return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`;
}
