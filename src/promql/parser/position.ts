/** `line:column` of an index of the text, both from 1, the column in bytes as Prometheus counts it. */
export function positionText(text: string, index: number): string {
  if (text === '') return 'unknown position';
  if (index < 0 || index > text.length) return 'invalid position';
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at !== -1 && at < index; at = text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return `${line}:${utf8Length(text, lineStart, index) + 1}`;
}

/** Bytes that `text.slice(start, end)` has in UTF-8; a lone surrogate counts as the replacement character. */
function utf8Length(text: string, start: number, end: number): number {
  let length = 0;
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x80) length += 1;
    else if (code < 0x800) length += 2;
    else if (code >= 0xd800 && code < 0xdc00 && i + 1 < end && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      length += 4;
      i++;
    } else length += 3;
  }
  return length;
}
