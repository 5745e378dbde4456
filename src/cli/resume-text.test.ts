import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resumeProgram, resumeText } from './resume-text.js';

const CONTAINER = 'https://account.blob.core.windows.net/container';
const command = (given?: string) => resumeText('/state', CONTAINER, { given, program: 'clfsload resume' }).command;

describe('the command that goes on with a job', () => {
  it('names the file of its container from any directory, however it was given', () => {
    const here = `"@${join(process.cwd(), 'sas')}"`;
    for (const given of ['@sas', '@./sas', `@hex://${Buffer.from('sas').toString('hex')}`])
      expect(command(given)).toBe(`clfsload resume "/state" ${here}`);
    expect(command(`@hex://${Buffer.from('/a/b').toString('hex')}`)).toBe('clfsload resume "/state" "@/a/b"');
    expect(command('@hex://2fff')).toBe('clfsload resume "/state" $\'@/\\xff\'');
    expect(command('env:NAME')).toBe('clfsload resume "/state" "env:NAME"');
  });

  it('is of the program that the user has called', () => {
    expect(['azcopy load clfs', 'azcopy clfs status'].map(resumeProgram)).toEqual(Array(2).fill('azcopy clfs resume'));
    expect(['clfsload load', 'clfsload resume'].map(resumeProgram)).toEqual(Array(2).fill('clfsload resume'));
    const program = 'azcopy clfs resume';
    expect(resumeText('/state', '/container', { program }).command).toBe('azcopy clfs resume "/state"');
  });
});
