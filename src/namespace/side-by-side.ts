/**
 * Works on items side by side, at most `limit` at once.
 *
 * When it ends, well or not, nothing of it is under way any more: what the work uses can be closed.
 *
 * @throws what the items or the first piece of work threw; no further item is begun after it
 */
export async function sideBySide<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let running = 0;
  let failure: { readonly error: unknown } | undefined;
  let wake: () => void = () => undefined;
  const run = async (item: T) => {
    try {
      await work(item);
    } catch (error) {
      failure ??= { error };
    }
    running--;
    wake();
  };
  const fallTo = async (count: number) => {
    while (running > count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  try {
    for await (const item of items) {
      await fallTo(limit - 1);
      if (failure) break;
      running++;
      void run(item);
    }
  } catch (error) {
    failure ??= { error };
  }
  await fallTo(0);
  if (failure) throw failure.error;
}
