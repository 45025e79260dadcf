import { VeronaError } from '../model/errors.ts';

/** Throws `bad_data` unless the instance of a section of settings is one of its instances. */
export function checkInstance(
  section: string,
  { instance, instances }: { readonly instance: number; readonly instances: number },
): void {
  if (instance < instances) return;
  throw new VeronaError('bad_data', `${section}.instance: less than ${section}.instances, counted from 0`);
}
