import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { onSignal } from './on-signal.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('a program that is to end', () => {
  const hearing = () => {
    const heard: string[] = [];
    const release = onSignal(
      ['SIGUSR2', 'SIGWINCH'],
      () => heard.push('first'),
      () => heard.push('again'),
      1,
    );
    return { heard, release };
  };

  it('takes a signal that is sent to it and to its group for one, as "timeout" sends it', () => {
    const { heard, release } = hearing();
    process.emit('SIGUSR2', 'SIGUSR2');
    process.emit('SIGUSR2', 'SIGUSR2');
    expect(heard).toEqual(['first']);
    vi.advanceTimersByTime(500);
    process.emit('SIGUSR2', 'SIGUSR2');
    expect(heard).toEqual(['first', 'again']);
    release();
  });

  it('takes another signal for another wish, and hears none when it is to hear no more', () => {
    const { heard, release } = hearing();
    process.emit('SIGUSR2', 'SIGUSR2');
    process.emit('SIGWINCH', 'SIGWINCH');
    expect(heard).toEqual(['first', 'again']);
    release();
    process.emit('SIGWINCH', 'SIGWINCH');
    expect(heard).toHaveLength(2);
  });
});
