import { VeronaError } from '../model/errors.ts';

/**
 * Answers once without, and when chunks do not decode once more with sources that check every chunk before they give it:
 * then the failure is that of the one that sent it, by name, and others can go on. Checking always would cost as much as
 * decoding does. The second time `attempt` gets what the first one failed with.
 */
export async function secondLook<T>(
  attempt: (verifiesChunks: boolean, failure?: VeronaError) => Promise<T>,
): Promise<T> {
  try {
    return await attempt(false);
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'corrupt') return attempt(true, error);
    throw error;
  }
}
