// Loaded before the program (NODE_OPTIONS=--import): when a thread has opened as many files as HOLD_AFTER says whose
// paths match HOLD_PATH, the next one of them is never answered, and that is said.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const held = new RegExp(process.env.HOLD_PATH);
let left = Number(process.env.HOLD_AFTER);
const { open, openSync } = fs;

fs.openSync = (path, ...how) => {
  if (isHeld(path)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  return openSync(path, ...how);
};
fs.open = (path, ...how) => {
  if (!isHeld(path)) open(path, ...how);
};
syncBuiltinESMExports();

function isHeld(path) {
  if (!held.test(String(path)) || left-- > 0) return false;
  fs.writeSync(2, 'a file is not answered\n');
  return true;
}
