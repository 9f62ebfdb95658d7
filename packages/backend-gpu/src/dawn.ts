// WebGPU in Node: Dawn, in the package `webgpu`.

/**
 * What a page calls `navigator.gpu`. Its kernels are not made to check each index against the array's length, which
 * takes them long: ours read inside of their arrays, whatever the data.
 * @throws Error that says how to get the package, where it is missing.
 */
export async function createDawn(): Promise<unknown> {
  try {
    const { create } = await import("webgpu");
    return create(["enable-dawn-features=disable_robustness"]);
  } catch (error) {
    const [reason] = (error as Error).message.split("\n");
    throw new Error(
      `the package "webgpu" can't be loaded (${reason}); install it beside fewnorm: npm install webgpu`,
      { cause: error },
    );
  }
}
