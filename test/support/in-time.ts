/** Longer than anything that is waited for takes, also where others keep the machine busy; shorter than a test may take. */
const DEADLINE_MS = 200_000;

/**
 * Waits for something, and not for ever.
 *
 * @param what is waited for
 * @param tell what is known of why it does not come
 * @throws Error with both when it has not come in time
 */
export async function inTime<T>(what: string, coming: Promise<T>, tell: () => string = () => ''): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not within ${DEADLINE_MS / 1000} s. ${tell()}`.trimEnd())),
      DEADLINE_MS,
    );
  });
  try {
    return await Promise.race([coming, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until something is so. @param tell what is known of why it is not @throws Error with that when it has not become so in time */
export async function until(isSo: () => boolean | Promise<boolean>, tell?: () => string): Promise<void> {
  let goesOn = true;
  const wait = async () => {
    while (goesOn && !(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  try {
    await inTime(`It becomes so: ${isSo.toString()}`, wait(), tell);
  } finally {
    goesOn = false;
  }
}
