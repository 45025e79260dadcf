/** Lets other work of this thread run, timers and sockets included: to be awaited between pieces of long work. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
