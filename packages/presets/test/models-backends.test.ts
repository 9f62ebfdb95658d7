// Models and backends by name.
import { backendNames, modelNames, parseBackend, parseModel, parseNorm } from "@fewnorm/presets";
import test from "tape";

test("every model can be built under its name", (t) => {
  const options = { norm: parseNorm("bn"), classes: 7, inputShape: [1, 12, 12] as const };
  for (const name of modelNames) {
    const model = parseModel(name)(options);
    t.equal(model.name, name);
    t.equal(model.classes, 7);
    t.deepEqual(model.inputShape, options.inputShape);
  }
  for (const depth of [18, 34, 50, 101, 152])
    t.ok(modelNames.includes(`resnet${depth}`), "torchvision's");
  t.end();
});

/** Modes of gpu.js that a machine with Node alone has. */
const everywhere = ["gpu", "gpu:webasm", "gpu:cpu"];

test("options of a backend that there are not are refused", async (t) => {
  for (const options of [{ thread: 2 }, { threads: "2" }, 2]) {
    const error = await parseBackend("wasm")(options as never).catch((reason: Error) => reason);
    t.ok(error instanceof TypeError && /^TypeError: parseBackend: .*threads/.test(String(error)));
  }
});

test("every backend can be made under its name", async (t) => {
  for (const name of backendNames) {
    if (name.startsWith("gpu:") && !everywhere.includes(name)) {
      // Node has no WebGL, and WebGPU only with a driver for a GPU.
      const backend = await parseBackend(name)().catch((error: Error) => error.message);
      const reason = typeof backend === "string" ? backend : undefined;
      const mode = name.slice("gpu:".length);
      t.ok(reason === undefined || reason.includes(`the mode ${mode} can't be had`), name);
      if (typeof backend !== "string") await backend.dispose();
      continue;
    }
    const backend = await parseBackend(name)();
    t.equal(backend.name, name.split(":")[0], name);
    await backend.dispose();
  }
});

test("unknown names list the known ones", (t) => {
  t.throws(
    () => parseModel("resnet21"),
    /there is no model "resnet21", did you mean "resnet\d+"\? Models are resnet20, resnet32/,
  );
  t.throws(() => parseBackend("cuda"), /there is no backend "cuda"; backends are .*reference/);
  t.throws(() => parseModel("constructor"), /there is no model "constructor"/);
  t.end();
});
