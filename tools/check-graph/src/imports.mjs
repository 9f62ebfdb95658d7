// What a source file imports.
import { parseSync } from "oxc-parser";

/** @typedef {{ specifier: string, typeOnly: boolean }} Import */

/**
 * Every module a TypeScript or JavaScript file names: static and dynamic imports, re-exports, types written
 * `import("x").T`, `require("x")`, `import.meta.resolve("x")`. A specifier that is computed at run time is not seen.
 * @param {string} file its name, for the language and for error messages
 * @param {string} text
 * @returns {Import[]} in the order of the text, repetitions included
 */
export function importsOf(file, text) {
  const { program, errors } = parseSync(file, text);
  if (errors.length > 0) throw new SyntaxError(`importsOf: ${file}: ${errors[0]?.message}`);
  /** @type {Import[]} */
  const found = [];
  visit(program, (node) => {
    const named = sourceOf(node);
    if (named?.type !== "Literal" || typeof named.value !== "string") return;
    const typeOnly =
      node.type === "TSImportType" || node.importKind === "type" || node.exportKind === "type";
    found.push({ specifier: named.value, typeOnly });
  });
  return found;
}

/** The node that names the other module, if this one imports. @param {any} node */
function sourceOf(node) {
  switch (node.type) {
    case "ImportDeclaration":
    case "ExportAllDeclaration":
    case "ExportNamedDeclaration":
    case "ImportExpression":
    case "TSImportType":
      return node.source;
    case "TSExternalModuleReference":
      return node.expression;
    case "CallExpression":
      return isResolver(node.callee) ? node.arguments[0] : undefined;
    default:
      return undefined;
  }
}

/** `require` or `import.meta.resolve`. @param {any} callee */
function isResolver(callee) {
  if (callee.type === "Identifier") return callee.name === "require";
  return callee.object?.type === "MetaProperty" && callee.property.name === "resolve";
}

/** @param {any} node @param {(node: any) => void} use */
function visit(node, use) {
  if (Array.isArray(node)) for (const one of node) visit(one, use);
  else if (node !== null && typeof node === "object") {
    if (typeof node.type === "string") use(node);
    for (const value of Object.values(node)) visit(value, use);
  }
}

/**
 * The package a specifier belongs to: `@a/b/c` → `@a/b`, `x/y` → `x`.
 * @param {string} specifier
 */
export function packageOf(specifier) {
  const [first = "", second = ""] = specifier.split("/");
  return first.startsWith("@") ? `${first}/${second}` : first;
}
