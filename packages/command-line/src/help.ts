// Parts of a command's help.

import { normForms } from "@fewnorm/presets";

/** Every form of a norm and what it means, a line each. */
export function formatNorms(): string {
  const width = Math.max(...normForms.map(({ form }) => form.length));
  return normForms.map(({ form, meaning }) => `  ${form.padEnd(width)}  ${meaning}`).join("\n");
}

/** The names with commas between, in lines up to `width`, all but the first indented by `indent`. */
export function wrapNames(names: readonly string[], indent: number, width = 97): string {
  const lines = [""];
  for (const [i, name] of names.entries()) {
    const word = i === names.length - 1 ? name : `${name}, `;
    if (indent + (lines.at(-1) ?? "").length + word.length > width) lines.push("");
    lines[lines.length - 1] += word;
  }
  return lines.map((line) => line.trimEnd()).join(`\n${" ".repeat(indent)}`);
}
