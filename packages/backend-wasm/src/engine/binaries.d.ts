// The engine as WebAssembly in base64, written by scripts/build-engine.mjs beside the compiled module.

export declare const plain: string;
export declare const relaxed: string;
