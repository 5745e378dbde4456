import { VERSION } from '../version.js';
import { type Candidate, PROTOCOL, WIRE_FORMAT } from './messages.js';

/** Why a worker does not speak as its driver does; undefined: it does. */
export function whyNot({ protocol, wire, version }: Candidate): string | undefined {
  if (protocol !== PROTOCOL)
    return `it speaks version ${protocol} of the workers' protocol (clfsload ${version}), not ${PROTOCOL}; run the same clfsload everywhere`;
  if (version !== VERSION)
    return `it is clfsload ${version}, the driver is ${VERSION}: their tasks differ; run the same clfsload everywhere`;
  if (wire !== WIRE_FORMAT) return 'its Node.js writes data in another way; run the same version of Node.js everywhere';
  return undefined;
}
