/** Numbers in the memory that is shared with the thread that watches; of signals a bit each, as the kernel shows them. */
export const HELD_UP = { beat: 0, isAsked: 1, stallMs: 2, signals: 3, exitCode: 4 } as const;
