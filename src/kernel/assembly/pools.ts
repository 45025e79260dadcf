// Blocks of open chunks (64 bytes) and nodes of closed-chunk lists (32 bytes): free lists over slabs.
//
//   block  ┌──────────────┬────────────┐    node  ┌──────────┬──────────┬─────────┬──────────────┬─────────┐
//          │ previous u32 │ 60 B data  │          │ mint i64 │ maxt i64 │ ref u64 │ previous u32 │ -   4 B │
//          └──────────────┴────────────┘          └──────────┴──────────┴─────────┴──────────────┴─────────┘

import { SLAB, takeSlab } from './slabs';

export const BLOCK: u32 = 64;
export const BLOCK_DATA: u32 = 60;
export const NODE: u32 = 32;

let freeBlocks: u32 = 0;
let blockBump: u32 = 0;
let blockEnd: u32 = 0;
export let blockSlabs: u32 = 0;
let freeNodes: u32 = 0;
let nodeBump: u32 = 0;
let nodeEnd: u32 = 0;
export let nodeSlabs: u32 = 0;

/** Whether a block and a node can be taken without asking for a slab. */
@inline export function poolsReady(): bool {
  return (freeBlocks != 0 || blockBump != blockEnd) && (freeNodes != 0 || nodeBump != nodeEnd);
}

/** Takes slabs until `poolsReady`; false when memory is full. */
export function refillPools(): bool {
  if (freeBlocks == 0 && blockBump == blockEnd) {
    let slab = takeSlab();
    if (slab == 0) return false;
    blockSlabs++;
    blockBump = slab;
    blockEnd = slab + SLAB;
  }
  if (freeNodes == 0 && nodeBump == nodeEnd) {
    let slab = takeSlab();
    if (slab == 0) return false;
    nodeSlabs++;
    nodeBump = slab;
    nodeEnd = slab + SLAB;
  }
  return true;
}

/** A block behind `previous`; `poolsReady` held. */
@inline export function takeBlock(previous: u32): u32 {
  let block = freeBlocks;
  if (block != 0) freeBlocks = load<u32>(block);
  else {
    block = blockBump;
    blockBump += BLOCK;
  }
  store<u32>(block, previous);
  return block;
}

/** Gives back a block and all before it. */
export function giveBlocks(block: u32): void {
  while (block != 0) {
    let previous = load<u32>(block);
    store<u32>(block, freeBlocks);
    freeBlocks = block;
    block = previous;
  }
}

/** A node; `poolsReady` held. */
export function takeNode(mint: i64, maxt: i64, ref: u64, previous: u32): u32 {
  let node = freeNodes;
  if (node != 0) freeNodes = load<u32>(node, 24);
  else {
    node = nodeBump;
    nodeBump += NODE;
  }
  store<i64>(node, mint);
  store<i64>(node, maxt, 8);
  store<u64>(node, ref, 16);
  store<u32>(node, previous, 24);
  return node;
}

@inline export function nodeMint(node: u32): i64 {
  return load<i64>(node);
}
@inline export function nodeMaxt(node: u32): i64 {
  return load<i64>(node, 8);
}
@inline export function nodeRef(node: u32): u64 {
  return load<u64>(node, 16);
}
@inline export function nodePrevious(node: u32): u32 {
  return load<u32>(node, 24);
}
@inline export function setNodePrevious(node: u32, previous: u32): void {
  store<u32>(node, previous, 24);
}

export function giveNode(node: u32): void {
  store<u32>(node, freeNodes, 24);
  freeNodes = node;
}
