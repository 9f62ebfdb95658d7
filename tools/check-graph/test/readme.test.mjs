import test from "tape";
import { readReadme } from "../src/readme.mjs";

const README = `# A package

    npm install one \\
      @scope/two

\`\`\`js
import "./mine.js";
import { readFile } from "node:fs/promises";
import { a } from "one";
import { b } from "@scope/two/node";
\`\`\`

See [one](src/one.ts), [two](../two#part), [below](#part) and [elsewhere](https://example.org).

\`\`\`ts
import type { A } from "one";
\`\`\`
`;

test("readReadme finds imports, what to install, and relative links", (t) => {
  t.deepEqual(readReadme("README.md", README), {
    uses: ["one", "@scope/two"],
    installs: ["one", "@scope/two"],
    links: ["src/one.ts", "../two"],
  });
  t.end();
});

test("readReadme refuses TypeScript that says it is JavaScript", (t) => {
  const text = "```js\nimport { type A } from 'one';\n```\n";
  t.throws(() => readReadme("a/README.md", text), /a\/README\.md\.js/);
  t.end();
});
