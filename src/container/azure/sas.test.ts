import { describe, expect, it } from 'vitest';
import { inspectSas } from './sas.js';

const NOW = Date.parse('2026-11-24T12:00:00Z');
const good = 'sv=2021-12-02&sr=c&sp=racwdl&st=2026-11-24T11:00:00Z&se=2026-11-26T12:00:00Z&sig=c2VjcmV0';
const change = (field: string, value?: string) => {
  const fields = new URLSearchParams(good);
  if (value === undefined) fields.delete(field);
  else fields.set(field, value);
  return inspectSas(fields.toString(), NOW);
};

describe('what is known of a SAS', () => {
  it('is nothing bad of a good one', () => {
    expect(inspectSas(good, NOW)).toEqual({ warnings: [], remainingMs: 48 * 3_600_000 });
    expect(inspectSas('', NOW)).toEqual({ warnings: [], remainingMs: undefined });
  });

  it.each([
    ['rcwl', ['"d"'], 'delete what is left over'],
    ['rcwd', ['"l"'], 'list the container'],
    ['cwdl', ['"r"'], 'read blobs'],
    ['rcdl', ['"w"'], 'write blobs'],
    ['r', ['"w"', '"c"', '"d"', '"l"'], 'write blobs, create blobs, delete what is left over, list the container'],
    ['', ['"w"', '"c"', '"d"', '"l"', '"r"'], 'read blobs'],
  ])('sp=%j lacks %j', (permissions, letters, actions) => {
    const { warnings } = change('sp', permissions);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(letters.join(', '));
    expect(warnings[0]).toContain(actions);
    expect(warnings[0].match(/"[a-z]"/g)).toEqual(letters);
  });

  it('takes writing for creating, as the service does', () => {
    expect(change('sp', 'rwdl').warnings).toEqual([]);
  });

  it('does not know what a policy at the service grants', () => {
    expect(inspectSas('sv=2021-12-02&sr=c&si=policy&sig=x', NOW)).toEqual({ warnings: [], remainingMs: undefined });
    expect(inspectSas('sv=2021-12-02&sr=c&si=policy&sp=r&sig=x', NOW).warnings).toHaveLength(1);
  });

  it.each([
    ['b', /not for a container \(its field "sr" is "b", not "c"\)/],
    ['d', /"sr" is "d"/],
    [undefined, /"sr" is "", not "c"/],
  ])('sr=%j', (resource, message) => {
    expect(change('sr', resource).warnings).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    ['ss=b&srt=sco', []],
    ['ss=bfqt&srt=co', []],
    ['ss=f&srt=co', [/not for the Blob service/]],
    ['ss=b&srt=s', [/not for containers/, /not for blobs/]],
    ['ss=b&srt=o', [/not for containers/]],
  ])('of an account with %s', (fields, messages) => {
    const { warnings } = inspectSas(`sv=2021-12-02&${fields}&sp=racwdl&se=2026-11-26T12:00:00Z&sig=x`, NOW);
    expect(warnings).toEqual(messages.map((message) => expect.stringMatching(message)));
  });

  it.each([
    ['2026-11-24T12:00:30Z', 30_000, /expires in 1 minute, at 2026-11-24T12:00:30Z/],
    ['2026-11-24T12:40:00Z', 2_400_000, /expires in 40 minutes/],
    ['2026-11-24T12:59:59Z', 3_599_000, /go on with a new SAS and --new-session=false/],
    ['2026-11-24T12:00:00Z', 0, /expired at/],
    ['2026-11-23', -36 * 3_600_000, /expired at 2026-11-23/],
  ])('se=%s', (expiry, remainingMs, message) => {
    const known = change('se', expiry);
    expect(known.remainingMs).toBe(remainingMs);
    expect(known.warnings).toEqual([expect.stringMatching(message)]);
  });

  it('with an hour or more to live is not warned of', () => {
    expect(change('se', '2026-11-24T13:00:00Z')).toEqual({ warnings: [], remainingMs: 3_600_000 });
    expect(change('se')).toEqual({ warnings: [], remainingMs: undefined });
    expect(change('se', 'soon')).toEqual({ warnings: [], remainingMs: undefined });
  });

  it.each([
    ['2026-11-24T12:10:00Z', /not good before 2026-11-24T12:10:00Z, which is 10 minutes from now/],
    ['2026-11-24T18:00:00Z', /6 hours from now/],
    ['2026-11-25T20:00:00Z', /32 hours from now/],
    ['2026-11-26T12:00:00Z', /2 days from now/],
  ])('st=%s', (start, message) => {
    expect(change('st', start).warnings).toEqual([expect.stringMatching(message)]);
  });

  it('never shows the signature', () => {
    const bad = inspectSas('sv=1&sr=b&sp=&st=2026-12-01&se=2026-11-24T12:01:00Z&sig=c2VjcmV0', NOW);
    expect(bad.warnings).toHaveLength(4);
    expect(bad.warnings.join(' ')).not.toContain('c2VjcmV0');
  });
});
