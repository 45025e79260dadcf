/** Names of a block's parts, in its folder on disk and in the bucket alike. */
export const META_FILE = 'meta.json';
export const INDEX_FILE = 'index';
export const CHUNKS_FOLDER = 'chunks';
export const DELETION_MARK_FILE = 'deletion-mark.json';

const MARKERS_FOLDER = 'markers';

/** Key of a file of a block: `<tenant>/<ulid>/<file>`, Cortex' layout. */
export function blockKey(tenant: string, ulid: string, file: string): string {
  return `${tenant}/${ulid}/${file}`;
}

/** Key of Cortex' second copy of a block's deletion mark, beside all blocks. */
export function globalDeletionMarkKey(tenant: string, ulid: string): string {
  return `${tenant}/${MARKERS_FOLDER}/${ulid}-${DELETION_MARK_FILE}`;
}

/** The block whose deletion mark an object directly below `<tenant>/` … is, by either copy; undefined for other objects. */
export function markedBlock(pathInTenant: string): string | undefined {
  const own = /^([0-9A-Z]{26})\/deletion-mark\.json$/.exec(pathInTenant);
  const global = /^markers\/([0-9A-Z]{26})-deletion-mark\.json$/.exec(pathInTenant);
  return own?.[1] ?? global?.[1];
}
