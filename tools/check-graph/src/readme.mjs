// What a published package's README asks of its reader. It is read outside the repository, where `npm install` and the
// package's own files are all that there is.
import { posix } from "node:path";
import { importsOf, packageOf } from "./imports.mjs";

/** @typedef {{ uses: string[], installs: string[], links: string[] }} Readme */

/**
 * @param {string} file its name, for error messages
 * @param {string} text
 * @returns {Readme} the packages that its code imports, those that it says to install, and its relative links
 */
export function readReadme(file, text) {
  const blocks = [...text.matchAll(/^```(js|ts)\n(.*?)^```$/gms)];
  const uses = blocks.flatMap(([, language, code = ""]) =>
    importsOf(`${file}.${language}`, code)
      .map(({ specifier }) => specifier)
      .filter((specifier) => !specifier.startsWith(".") && !specifier.startsWith("node:"))
      .map(packageOf),
  );
  const commands = text.replaceAll("\\\n", " ").matchAll(/npm install (.*)/g);
  const installs = [...commands].flatMap(([, names = ""]) => names.trim().split(/\s+/));
  const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, link = ""]) => link);
  return { uses: [...new Set(uses)], installs, links };
}

/** @param {import("./workspace.mjs").Member} member @returns {string[]} */
export function readmeProblems({ folder, manifest, readme }) {
  if (readme === undefined || manifest.private || !folder.startsWith("packages/")) return [];
  const { uses, installs, links } = readme;
  const at = `${folder}/README.md`;
  const published = (/** @type {string} */ link) =>
    (manifest.files ?? []).some((/** @type {string} */ one) =>
      `${posix.normalize(link)}/`.startsWith(`${one}/`),
    );
  return [
    ...uses
      .filter((name) => !installs.includes(name))
      .map((name) => `${at}: its code imports "${name}"; add it to the line "npm install …"`),
    ...links
      .filter((link) => !published(link))
      .map((link) => `${at}: links to ${link}, which is not published with it; name it in words`),
  ];
}
