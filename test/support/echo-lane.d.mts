export function echoLane(
  createLane: unknown,
  setup: { readonly greeting: string },
  log: (text: string) => void,
): unknown;
