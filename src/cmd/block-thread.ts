import { NodeDisk } from '../platform/node-disk.ts';
import { threadParent } from '../platform/threads.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { LocalBlockMaker } from '../tsdb/compact/block-maker.ts';
import { serveBlocks } from '../tsdb/compact/remote-block.ts';

const PAGE_CACHE_BYTES = 32 * 1024 * 1024;

/** A block thread: writes and verifies one block of a large head from the slices that the thread of writes hands it. */
serveBlocks(threadParent().port, new LocalBlockMaker(new NodeDisk(), new PageCache(PAGE_CACHE_BYTES)));
