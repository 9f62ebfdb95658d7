// Who is told that a newer Node would be faster.
import { newerNode } from "@fewnorm/command-line";
import test from "tape";

const on = (node: string, arch: NodeJS.Architecture = "x64") => ({
  arch,
  versions: { ...process.versions, node },
});

test("those whose engine has vectors of 4 floats and could have 8", (t) => {
  const engine = "wasm (relaxed SIMD, 2 threads)";
  t.match(newerNode(engine, on("20.20.2")) ?? "", /Node 24 or 26 .* 1\.6 times/);
  t.match(newerNode(engine, on("22.23.3")) ?? "", /Node 24 or 26/);
  t.match(newerNode(engine, on("25.2.0")) ?? "", /Node 24 or 26/);
  t.equal(newerNode(engine, on("24.21.0")), undefined, "a newer Node lacks something else");
  t.equal(newerNode(engine, on("26.1.0")), undefined);
  t.equal(newerNode(engine, on("28.0.0")), undefined);
  t.equal(newerNode(engine, on("20.20.2", "arm64")), undefined, "another processor");
  t.equal(newerNode("gpu (webgpu)", on("20.20.2")), undefined, "another engine");
  t.end();
});
