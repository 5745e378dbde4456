import type { Lz4 } from '../format/envelope.js';
import type { LoadSpec } from '../job/load-spec.js';
import { VERSION } from '../version.js';

/** Program and LZ4 library by which objects are built: the same ones build the same bytes. */
export function encoderOf({ compression }: Pick<LoadSpec, 'compression'>, lz4: Lz4): string {
  return `${VERSION} ${compression === 'LZ4' ? lz4.name : 'uncompressed'}`;
}
