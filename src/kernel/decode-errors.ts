/** Why a chunk does not decode, by the negative result of the kernels' `decodeChunk`. */
export const DECODE_ERRORS = [
  '',
  'chunk ends early',
  'times do not ascend',
  'XOR window beyond 64 bits',
  'time too large',
];
