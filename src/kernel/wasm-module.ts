/** Compiles an embedded module; the same code then serves any number of instances on this thread. */
export function compileWasm(base64: string): WebAssembly.Module {
  return new WebAssembly.Module(Buffer.from(base64, 'base64'));
}

/** An instance with a memory of its own. `Exports` says what the module exports. */
export function instantiateWasm<Exports>(module: WebAssembly.Module): Exports {
  return new WebAssembly.Instance(module, {}).exports as unknown as Exports;
}
