/**
 * What a kind of work is made of, by its types alone: what a lane is given, what it answers, and what it tells before
 * it answers. All three are plain data, so that a lane can be a thread or another machine.
 */
export interface Kind<Task, Result, Part = never> {
  readonly task: Task;
  readonly result: Result;
  readonly part: Part;
}

/** The kinds of a job, by name. */
export type Kinds<M> = { readonly [K in keyof M]: Kind<unknown, unknown, unknown> };

/** A task with the name of its kind: what is sent to a lane. */
export type TaskMessage<M extends Kinds<M>, K extends keyof M = keyof M> = {
  readonly [P in K]: { readonly kind: P; readonly task: M[P]['task'] };
}[K];

/** A result with the name of its kind: what a lane sends at the end of a task. */
export type ResultMessage<M extends Kinds<M>, K extends keyof M = keyof M> = {
  readonly [P in K]: { readonly kind: P; readonly result: M[P]['result'] };
}[K];

/** A part of what a task brings, with the name of its kind. */
export type PartMessage<M extends Kinds<M>, K extends keyof M = keyof M> = {
  readonly [P in K]: { readonly kind: P; readonly part: M[P]['part'] };
}[K];

/** Told of the parts of what a task brings, before its result. */
export type PartSink<Part> = (part: Part) => void;

/** What a lane does for each kind. The compiler names a kind that is missing. */
export type Executors<M extends Kinds<M>, Lane> = {
  readonly [K in keyof M]: (task: M[K]['task'], lane: Lane, part: PartSink<M[K]['part']>) => Promise<M[K]['result']>;
};

/**
 * Does one task.
 *
 * @throws what ends the job: nothing of the task counts then
 */
export async function execute<M extends Kinds<M>, K extends keyof M, Lane>(
  executors: Executors<M, Lane>,
  { kind, task }: { readonly kind: K; readonly task: M[K]['task'] },
  lane: Lane,
  part: PartSink<PartMessage<M, K>>,
): Promise<ResultMessage<M, K>> {
  const result = await executors[kind](task, lane, (told) => part({ kind, part: told }));
  return { kind, result };
}
