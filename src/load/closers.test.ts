import { describe, expect, it } from 'vitest';
import { Closers } from './closers.js';

describe('Closers', () => {
  it('close what was opened last first, once', async () => {
    const closed: string[] = [];
    const closers = new Closers();
    closers.add(() => void closed.push('first'));
    closers.add(async () => {
      await Promise.resolve();
      closed.push('second');
    });
    await closers.close();
    await closers.close();
    expect(closed).toEqual(['second', 'first']);
  });

  it('close the others where one fails, and tell of the first that does', async () => {
    const closed: string[] = [];
    const closers = new Closers();
    closers.add(() => void closed.push('first'));
    closers.add(() => Promise.reject(new Error('the second does not close')));
    closers.add(() => {
      throw new Error('the third does not close');
    });
    await expect(closers.close()).rejects.toThrow('the third does not close');
    expect(closed).toEqual(['first']);
  });
});
