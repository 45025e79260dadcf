// One row as Prometheus' JSON: [[seconds,"value"],…], absent steps left out.
import { ABSENT } from './kahan';
import { writeFloat, writeUint } from './json-float';

export function writeRow(row: usize, steps: u32, start: f64, step: f64, out: usize): u32 {
  let begin = out;
  store<u8>(out++, 91);
  for (let k: u32 = 0; k < steps; k++, row += 8) {
    if (load<u64>(row) == ABSENT) continue;
    if (out > begin + 1) store<u8>(out++, 44);
    store<u8>(out++, 91);
    out = writeSeconds((start + step * (k as f64)) as i64, out);
    store<u16>(out, 0x222c);
    out = writeFloat(load<f64>(row), out + 2);
    store<u16>(out, 0x5d22);
    out += 2;
  }
  store<u8>(out++, 93);
  return (out - begin) as u32;
}

// Milliseconds as seconds: three decimals or none.
@inline function writeSeconds(t: i64, out: usize): usize {
  if (t < 0) { store<u8>(out++, 45); t = -t; }
  let seconds = (t as u64) / 1000;
  let rest = ((t as u64) - seconds * 1000) as u32;
  out = writeUint(seconds, out);
  if (rest == 0) return out;
  store<u8>(out, 46);
  store<u8>(out, 48 + rest / 100, 1);
  store<u8>(out, 48 + (rest / 10) % 10, 2);
  store<u8>(out, 48 + rest % 10, 3);
  return out + 4;
}
