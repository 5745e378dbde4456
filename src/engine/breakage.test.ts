import { describe, expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import { breakageOf, errorOf } from './breakage.js';

describe('what ended a task', () => {
  it('keeps code and message of an error of ours, on the way between threads too', () => {
    const breakage = structuredClone(breakageOf(new ClfsError('service', 'It answered 500.')));
    expect(breakage).toEqual({ code: 'service', message: 'It answered 500.' });
    const error = errorOf(breakage);
    expect(error).toBeInstanceOf(ClfsError);
    expect(error).toMatchObject(breakage);
  });

  it('is a fault of the program for all other errors, and says where', () => {
    const fault = new TypeError('x is not a function');
    expect(breakageOf(fault)).toEqual({ code: 'worker', message: fault.stack });
    fault.stack = undefined;
    expect(breakageOf(fault)).toEqual({ code: 'worker', message: 'x is not a function' });
    expect(breakageOf('thrown text')).toEqual({ code: 'worker', message: 'thrown text' });
    expect(breakageOf(undefined)).toEqual({ code: 'worker', message: 'undefined' });
  });
});
