import { WIRE_REASONS } from '../encoding/protobuf.ts';

/** Why a write request does not parse, by the number `assembly/wire.ts` gives it. */
export const MALFORMED_REASONS = [
  ...WIRE_REASONS,
  'symbol reference out of range',
  'odd number of label references',
  'label set too long',
  'labels of the request too long',
] as const;
