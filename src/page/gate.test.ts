import type { IncomingMessage } from 'node:http';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Gate } from './gate.js';

const TOKEN = 'correct-horse-battery';
const gate = new Gate(TOKEN, 'server.example');
const admit = (url: string, headers: Record<string, string> = {}, method = 'GET') =>
  gate.admit({ method, url, headers: { host: '127.0.0.1:1', ...headers } } as unknown as IncomingMessage);

describe('the gate', () => {
  it('lets in by the token in the path, or as a bearer where programs ask', () => {
    expect(admit(`/${TOKEN}/`)).toMatchObject({ path: '' });
    expect(admit(`/${TOKEN}/failures?q=a&after=3`)).toMatchObject({ path: 'failures' });
    expect(admit('/metrics', { authorization: `Bearer ${TOKEN}` })).toMatchObject({ path: 'metrics' });
    expect(admit('/metrics', { authorization: `Basic ${TOKEN}` })).toEqual({ status: 401 });
    expect(admit('/events', { authorization: `Bearer ${TOKEN}` })).toEqual({ status: 404 });
  });

  it('takes the name that is listened on for its own, and no other', () => {
    expect(admit(`/${TOKEN}/`, { host: 'server.example:80' })).toMatchObject({ path: '' });
    expect(admit(`/${TOKEN}/`, { host: 'SERVER.example' })).toMatchObject({ path: '' });
    expect(admit(`/${TOKEN}/`, { host: 'server.example.evil' })).toEqual({ status: 421 });
    expect(admit(`/${TOKEN}/`, { host: '127.0.0.1.evil:80' })).toEqual({ status: 421 });
  });

  it('never fails, and never lets in without the token, whatever is asked', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.constant(TOKEN.slice(1)));
    fc.assert(
      fc.property(text, text, text, (first, rest, bearer) => {
        fc.pre(!first.includes(TOKEN) && bearer !== TOKEN && !rest.includes(TOKEN));
        const answer = admit(`/${first}/${rest}`, { authorization: `Bearer ${bearer}` });
        expect(answer).toHaveProperty('status');
      }),
    );
  });
});
