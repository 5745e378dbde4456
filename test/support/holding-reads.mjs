// Loaded before the program (NODE_OPTIONS=--import): when a thread has opened as many files as HOLD_AFTER says whose
// paths match HOLD_PATH, the next one of them is not answered before the file HOLD_UNTIL is there, and that is said.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const POLL_MS = 20;
const held = new RegExp(process.env.HOLD_PATH);
let left = Number(process.env.HOLD_AFTER);
const { existsSync, open, openSync } = fs;
const isAnswered = () => existsSync(process.env.HOLD_UNTIL);

fs.openSync = (path, ...how) => {
  const never = new Int32Array(new SharedArrayBuffer(4));
  if (isHeld(path)) while (!isAnswered()) Atomics.wait(never, 0, 0, POLL_MS);
  return openSync(path, ...how);
};
fs.open = (path, ...how) => {
  if (!isHeld(path)) return open(path, ...how);
  const timer = setInterval(() => {
    if (!isAnswered()) return;
    clearInterval(timer);
    open(path, ...how);
  }, POLL_MS);
};
syncBuiltinESMExports();

function isHeld(path) {
  if (!held.test(String(path)) || left-- > 0 || isAnswered()) return false;
  fs.writeSync(2, 'a file is not answered\n');
  return true;
}
