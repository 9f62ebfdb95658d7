// The rules. Each takes the packages of the workspace and returns problems, one line each.
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { packageOf } from "./imports.mjs";
import { readmeProblems } from "./readme.mjs";

/** @typedef {import("./workspace.mjs").Member} Member */

/** @param {readonly Member[]} members @returns {string[]} */
export function findProblems(members) {
  const byName = new Map(members.map((member) => [String(member.manifest.name), member]));
  return [
    ...members.flatMap((member) => [
      ...layerProblems(member, byName),
      ...importProblems(member),
      ...unusedProblems(member),
      ...readmeProblems(member),
    ]),
    ...cycleProblems(byName),
  ];
}

/** @param {Member} member */
const runtime = ({ manifest }) => ({ ...manifest.dependencies, ...manifest.peerDependencies });
/** @param {Member} member */
const declared = (member) => ({ ...runtime(member), ...member.manifest.devDependencies });

/** Only what lies in packages/ has a layer. @param {Member} member */
const isLayered = ({ folder }) => folder.startsWith("packages/");

/** @param {Member} member @param {Map<string, Member>} byName @returns {string[]} */
function layerProblems(member, byName) {
  if (!isLayered(member)) return [];
  const { folder, manifest } = member;
  const layer = manifest.fewnorm?.layer;
  if (!Number.isInteger(layer) || layer < 0) {
    return [`${folder}: package.json states no layer; add "fewnorm": { "layer": 2 } or another`];
  }
  return Object.keys(runtime(member)).flatMap((name) => {
    const other = byName.get(name);
    if (!other) return [];
    if (!isLayered(other)) return [`${folder}: depends on ${name}, which is not in packages/`];
    if (other.manifest.private && !manifest.private) {
      return [`${folder}: is published and depends on ${name}, which is private; publish it, too`];
    }
    const below = other.manifest.fewnorm?.layer;
    if (below < layer) return [];
    return [
      `${folder}: layer ${layer} depends on ${name} of layer ${below}; it may depend on lower layers only`,
    ];
  });
}

/** @param {Member} member @returns {string[]} */
function importProblems(member) {
  return member.files.flatMap(({ path, imports }) => {
    const inSource = path.startsWith("src/");
    const allowed = inSource ? runtime(member) : declared(member);
    return imports.flatMap(({ specifier, typeOnly }) => {
      const at = `${member.folder}/${path}: imports "${specifier}"`;
      if (specifier.startsWith(".")) {
        const target = posix.join(posix.dirname(path), specifier);
        if (target.startsWith("..")) {
          return [`${at}, which lies outside the package; import the package by name`];
        }
        // Published is src alone, beside what is built of it.
        const isMissing = inSource && !member.manifest.private && !target.startsWith("src/");
        return isMissing ? [`${at}, which is not published; move it to src`] : [];
      }
      if (isBuiltin(specifier)) return [];
      const name = packageOf(specifier);
      if (name === member.manifest.name) {
        return inSource ? [`${at}, which is the package itself; use a relative path`] : [];
      }
      if (name in allowed || (typeOnly && typesOf(name) in allowed)) return [];
      const where = inSource ? "dependencies" : "dependencies or devDependencies";
      return [`${at}, which package.json does not declare; add it to ${where}`];
    });
  });
}

/** @param {string} name */
const typesOf = (name) => `@types/${name.replace(/^@(.*)\//, "$1__")}`;

/** @param {Member} member @returns {string[]} */
function unusedProblems(member) {
  const { folder, manifest, files, binsOf } = member;
  /** @param {(path: string) => boolean} keep */
  const imported = (keep) =>
    new Set(
      files
        .filter(({ path }) => keep(path))
        .flatMap(({ imports }) => imports.map(({ specifier }) => packageOf(specifier))),
    );
  const inSource = imported((path) => path.startsWith("src/"));
  const anywhere = imported(() => true);
  const words = new Set(
    Object.values(manifest.scripts ?? {}).flatMap((one) => one.split(/[\s"'=]+/)),
  );
  /** @param {Set<string>} names @param {string} name */
  const uses = (names, name) =>
    names.has(name) || [...names].some((one) => typesOf(one) === name && one !== name);
  /** @param {string} name */
  const runs = (name) => [name, ...binsOf(name)].some((one) => words.has(one));

  const unused = Object.keys(runtime(member))
    .filter((name) => !uses(inSource, name))
    .map((name) => `${folder}: nothing in src imports "${name}"; remove it from dependencies`);
  const unusedDev = Object.keys(manifest.devDependencies ?? {})
    .filter((name) => !uses(anywhere, name) && !runs(name))
    .map((name) => `${folder}: nothing uses "${name}"; remove it from devDependencies`);
  return [...unused, ...unusedDev];
}

/**
 * Layers rule out cycles of dependencies, but a package is built after its devDependencies, too.
 * @param {Map<string, Member>} byName @returns {string[]}
 */
function cycleProblems(byName) {
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {string[]} */
  const problems = [];
  /** @param {string} name @param {string[]} path */
  const follow = (name, path) => {
    const start = path.indexOf(name);
    if (start >= 0) {
      const cycle = [...path.slice(start), name].join(" → ");
      problems.push(`${cycle}: a cycle; move the test that needs it to the higher package`);
      return;
    }
    const member = byName.get(name);
    if (!member || done.has(name)) return;
    for (const next of Object.keys(declared(member))) follow(next, [...path, name]);
    done.add(name);
  };
  for (const name of byName.keys()) follow(name, []);
  return problems;
}
