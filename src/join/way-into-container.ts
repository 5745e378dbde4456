import { type ContainerPlace, type ParsedContainer, parseContainer, placeText } from '../container/open-container.js';
import { ClfsError } from '../error.js';
import type { WorkerOptions } from './worker-options.js';

/**
 * A worker's way into the container of a job: the job's own place, or what the worker was given.
 *
 * A container of a service is known by its address. One on disk has another path on each machine: it is looked at later
 * whether it is the same one. One kind does not stand for the other.
 *
 * @param place where the job has the container
 * @param given the container as the worker's user has named it; undefined: nobody did
 * @throws ClfsError `usage`, `container-other`; whatever asking the user's function throws
 */
export function wayIntoContainer(place: ContainerPlace, given: WorkerOptions['container']): ParsedContainer {
  // What account it is in follows from its host, whoever has sent it.
  if (given === undefined) return place.kind === 'azure' ? parseContainer(placeText(place)) : { place, query: '' };
  const own = parseContainer(typeof given === 'function' ? given() : given);
  const mayBeSame = place.kind === 'local' ? own.place.kind === 'local' : placeText(own.place) === placeText(place);
  if (mayBeSame) return own;
  throw new ClfsError(
    'container-other',
    `The job is for the container ${placeText(place)}, not for ${placeText(own.place)}.`,
  );
}
