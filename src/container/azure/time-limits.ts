const MEBIBYTE = 1048576;
/** Time that the service has for a request, and further time for each MiB of its body. */
const SERVICE_S = 25;
const SERVICE_S_PER_MIB = 10;
/** Time that an answer may take to arrive after the service has reached its limit. */
const ANSWER_S = 5;
/** A second try gets twice the time; later ones no more: fewer requests at once are what helps on a slow link. */
const MOST_TIMES = 2;

/** A read is given so long in any case: a service that lives answers in that time. */
const LEAST_READ_MS = 5000;

/** How long one try of a request may take. */
export interface TimeLimit {
  /** What the service is told, in whole seconds from when it sees the request. */
  readonly serviceS: number;
  /** When the client gives up, in milliseconds from when it begins to send. */
  readonly clientMs: number;
}

/**
 * Time limits of one try.
 *
 * @param attempt from 1
 * @param pacedMs time over which a rate limit spreads the body; at most {@link longestPacedMs}
 */
export function timeLimitOf(bodyBytes: number, attempt: number, pacedMs = 0): TimeLimit {
  const once = serviceSeconds(bodyBytes);
  const serviceS = Math.min(MOST_TIMES * once, Math.min(attempt, MOST_TIMES) * once + Math.ceil(pacedMs / 1000));
  return { serviceS, clientMs: (serviceS + ANSWER_S) * 1000 };
}

/** The time limit of a try to read, where so much is left of the time for which the service is waited for. */
export function limitWithin(limit: TimeLimit, windowLeftMs: number): TimeLimit {
  return { ...limit, clientMs: Math.min(limit.clientMs, Math.max(LEAST_READ_MS, windowLeftMs)) };
}

/**
 * Longest time over which a body may be spread, in milliseconds: as much as its time limit has room for. A lower rate
 * holds on average.
 */
export function longestPacedMs(bodyBytes: number): number {
  return (MOST_TIMES - 1) * serviceSeconds(bodyBytes) * 1000;
}

/**
 * Longest time limit of any try of a put, in milliseconds: a put that was given up takes no effect after so long.
 *
 * @param largestObjectBytes 235 s for an object of 8 MiB and its header
 */
export function longestPutMs(largestObjectBytes: number): number {
  return timeLimitOf(largestObjectBytes, MOST_TIMES).clientMs;
}

function serviceSeconds(bodyBytes: number): number {
  return SERVICE_S + SERVICE_S_PER_MIB * Math.ceil(bodyBytes / MEBIBYTE);
}
