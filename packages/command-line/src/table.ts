// Tables as text.

import Table from "cli-table3";

/** Rows in a frame below `head`, without a line break at the end. Names stand left, in the first column, all else right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const colAligns = head.map((_, column) => (column === 0 ? "left" : "right") as "left" | "right");
  const table = new Table({ head: [...head], colAligns, style: { head: [], border: [] } });
  for (const cells of rows) table.push([...cells]);
  // The line under the head is enough.
  const lines = table.toString().split("\n");
  return lines.filter((line, i) => i <= 2 || !line.startsWith("├")).join("\n");
}
