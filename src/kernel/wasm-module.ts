/** Compiles an embedded module; the same code then serves any number of instances on this thread. */
export function compileWasm(base64: string): WebAssembly.Module {
  return new WebAssembly.Module(bytesOfBase64(base64));
}

/** By what browsers have as well as Node. */
function bytesOfBase64(base64: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** An instance with a memory of its own. `Exports` says what the module exports. */
export function instantiateWasm<Exports>(module: WebAssembly.Module): Exports {
  return new WebAssembly.Instance(module, {}).exports as unknown as Exports;
}
