import { WireReader } from '../../encoding/protobuf.ts';
import { compareStrings, Labels } from '../../model/labels.ts';

/**
 * The label set in label bytes as a client sent them: any order, empty values, any protobuf that means a list of
 * pairs. Undefined when a name stands twice, which no label set has. Throws `bad_data` when it is no protobuf or no UTF-8.
 */
export function parseSentLabels(bytes: Uint8Array): Labels | { readonly duplicate: string } {
  const pairs: [string, string][] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) if (reader.field === 1) pairs.push(parsePair(reader.message()));
  pairs.sort((a, b) => compareStrings(a[0], b[0]));
  for (let i = 1; i < pairs.length; i++)
    if (pairs[i][0] === pairs[i - 1][0]) return { duplicate: pairs[i][0] };
  return Labels.from(pairs);
}

function parsePair(reader: WireReader): [string, string] {
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    if (reader.field === 2) value = reader.string();
  }
  return [name, value];
}
