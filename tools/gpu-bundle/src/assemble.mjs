// What a bundle holds: Node, the benchmark, the packages that they need, and scripts that start it.
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Dependencies that a bundle does without. */
const leftOut = new Set([
  // Browsers are for machines that have one.
  "@fewnorm/app-bench > playwright-core",
  "@fewnorm/app-bench > vite",
  // gpu.js takes WebGPU from `navigator`, where backend-gpu puts the package that it chose.
  "gpu.js > webgpu",
  // WebGL for Node, which gpu.js does without.
  "gpu.js > gl",
  // Only read by webgpu's own build.
  "webgpu > debug",
  "webgpu > @webgpu/types",
]);

/** What is only there for those who develop, and other systems' libraries. */
const unneeded = /\.(map|d\.[cm]?ts|ts|md)$|\/gpu\.js\/dist$|\/webgpu\/(build|dist\/(?!linux-x64))/;

/** The Vulkan loader, a small library that some machines with a driver lack. */
const loaders = ["/usr/lib/x86_64-linux-gnu/libvulkan.so.1", "/usr/lib64/libvulkan.so.1"];

/**
 * Fills a folder, so that `bench` in it runs without anything else.
 * @param {{ root: string, folder: string, node: string }} places the repository, with the benchmark built;
 *   the folder; and a Node binary
 * @throws Error where something is missing, or two versions of a package are wanted.
 */
export function assemble({ root, folder, node }) {
  mkdirSync(join(folder, "bin"), { recursive: true });
  cpSync(node, join(folder, "bin/node"), { dereference: true });
  chmodSync(join(folder, "bin/node"), 0o755);
  const packages = packagesFrom(join(root, "apps/bench"));
  for (const [name, from] of packages) {
    const to = join(folder, "node_modules", name);
    for (const part of partsOf(name, from)) {
      cpSync(join(from, part), join(to, part), {
        recursive: true,
        filter: (path) =>
          !unneeded.test(path.slice(from.length).replace(/^/, `/${name}`)) &&
          basename(path) !== "node_modules",
      });
    }
  }
  const loader = loaders.find((path) => existsSync(path));
  if (loader !== undefined) {
    mkdirSync(join(folder, "lib"));
    cpSync(realpathSync(loader), join(folder, "lib/libvulkan.so.1"));
  }
  const scripts = fileURLToPath(new URL("bundle", import.meta.url));
  cpSync(scripts, folder, { recursive: true });
  chmodSync(join(folder, "bench"), 0o755);
  writeFileSync(join(folder, "COMMIT"), commitOf(root));
}

/**
 * Ours are taken as they would be published, others as they are.
 * @param {string} name @param {string} from
 */
function partsOf(name, from) {
  if (!name.startsWith("@fewnorm/")) return ["."];
  const { files = ["dist/src"] } = manifestOf(from);
  return ["package.json", ...files.filter((/** @type {string} */ file) => file !== "src")];
}

/**
 * A package and all that it needs, by name.
 * @param {string} start its folder
 */
function packagesFrom(start) {
  /** @type {Map<string, string>} */
  const found = new Map();
  const open = [start];
  for (let from = open.pop(); from !== undefined; from = open.pop()) {
    const { name, dependencies, optionalDependencies, peerDependencies } = manifestOf(from);
    const known = found.get(name);
    if (known === from) continue;
    if (known !== undefined) {
      throw new Error(`two versions of ${name} are wanted, ${known} and ${from}; leave one out`);
    }
    found.set(name, from);
    // Peers are what a package can do more with: webgpu in our case.
    const peers = name.startsWith("@fewnorm/") ? peerDependencies : {};
    const needed = { ...optionalDependencies, ...peers, ...dependencies };
    for (const other of Object.keys(needed)) {
      if (other.startsWith("@types/") || leftOut.has(`${name} > ${other}`)) continue;
      const folder = find(other, from);
      if (folder !== undefined) open.push(folder);
      else if (dependencies?.[other] !== undefined && optionalDependencies?.[other] === undefined) {
        throw new Error(`${name} needs ${other}, which is not installed; run pnpm install`);
      }
    }
  }
  return found;
}

/** Where Node finds a package. @param {string} name @param {string} from */
function find(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (existsSync(join(path, "package.json"))) return realpathSync(path);
    if (folder === dirname(folder)) return undefined;
  }
}

/** @param {string} folder */
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));

/** The commit that was packed, or nothing. @param {string} root */
function commitOf(root) {
  const git = (/** @type {string[]} */ ...args) =>
    execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  try {
    const changed = git("status", "--porcelain", "--untracked-files=no").trim() !== "";
    return `${git("rev-parse", "HEAD").trim()}${changed ? "+" : ""}\n`;
  } catch {
    return "";
  }
}
