import { isUlid } from '../tsdb/block/ulid.ts';

/** Names of a block's parts, in its folder on disk and in the bucket alike. */
export const META_FILE = 'meta.json';
export const INDEX_FILE = 'index';
export const CHUNKS_FOLDER = 'chunks';

/** Cortex' folder with a second copy of every mark of a tenant's blocks, so that one listing finds all. */
export const MARKERS_FOLDER = 'markers';

/** `tenant`: `<tenant>/<ulid>/`, as Cortex has it; `root`: `<ulid>/`, as Thanos has it. */
export type BlockLayout = 'tenant' | 'root';

/** Which block, whose, and where it lies. */
export interface BlockRef {
  readonly tenant: string;
  readonly ulid: string;
  readonly layout: BlockLayout;
  /** Key of a file of the block is `<folder>/<file>`. */
  readonly folder: string;
}

/** Where a block of a tenant lies. */
export function blockRef(tenant: string, ulid: string, layout: BlockLayout = 'tenant'): BlockRef {
  return { tenant, ulid, layout, folder: layout === 'tenant' ? `${tenant}/${ulid}` : ulid };
}

/** Key of a file of a block in Cortex' layout. */
export function blockKey(tenant: string, ulid: string, file: string): string {
  return `${tenant}/${ulid}/${file}`;
}

/** Key of the second copy of a mark; undefined in Thanos' layout, which has none. */
export function globalMarkKey({ tenant, ulid, layout }: BlockRef, markFile: string): string | undefined {
  return layout === 'tenant' ? `${tenant}/${MARKERS_FOLDER}/${ulid}-${markFile}` : undefined;
}

/** The block and the file that a path below a tenant's folder, or below the root, belongs to. */
export function blockFile(path: string): { readonly ulid: string; readonly file: string } | undefined {
  const ulid = path.slice(0, 26);
  return isUlid(ulid) && path[26] === '/' ? { ulid, file: path.slice(27) } : undefined;
}

/** The block and the mark that an object in `markers/` is a copy of. */
export function globalMarkFile(name: string): { readonly ulid: string; readonly file: string } | undefined {
  const ulid = name.slice(0, 26);
  return isUlid(ulid) && name[26] === '-' ? { ulid, file: name.slice(27) } : undefined;
}

/** Whether a folder directly below the bucket's root may be a tenant's. */
export function isTenantFolder(name: string): boolean {
  return !name.startsWith('__') && !isUlid(name);
}
