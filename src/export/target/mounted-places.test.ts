import { tmpdir } from 'node:os';
import { expect, it } from 'vitest';
import { CURRENT_DIRECTORY, close, Open, openAt } from '../../posix/libc.js';
import { MountedPlaces } from './mounted-places.js';

const PLACE = Buffer.from('mounted');

it('holds nothing open that is opened when it has been closed', async () => {
  const fd = openAt(CURRENT_DIRECTORY, Buffer.from(tmpdir()), Open.readOnly | Open.directory);
  const places = new MountedPlaces([PLACE]);
  await places.note(Buffer.from('beside'), fd);
  expect([...places.descriptors]).toEqual([]);
  await places.note(PLACE, fd);
  expect([...places.descriptors]).toHaveLength(1);
  places.close();
  const late = places.note(PLACE, fd);
  places.close();
  await late;
  expect([...places.descriptors]).toEqual([]);
  close(fd);
});
