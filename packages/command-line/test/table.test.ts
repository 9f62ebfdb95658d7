import { formatTable } from "@fewnorm/command-line";
import test from "tape";

test("a table has one line under its head, and numbers stand right", (t) => {
  const rows = [
    ["a", "1"],
    ["long", "1,000"],
  ];
  t.deepEqual(formatTable(["name", "count"], rows).split("\n"), [
    "┌──────┬───────┐",
    "│ name │ count │",
    "├──────┼───────┤",
    "│ a    │     1 │",
    "│ long │ 1,000 │",
    "└──────┴───────┘",
  ]);
  t.end();
});
