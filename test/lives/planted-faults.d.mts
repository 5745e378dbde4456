export const PLANTED_FAULTS: readonly {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly count?: number;
  readonly test?: string;
  readonly lives?: 'limits' | 'workers' | 'export';
}[];
