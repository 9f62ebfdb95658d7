// Lists in a command's help.
import { formatNorms, wrapNames } from "@fewnorm/command-line";
import { normForms } from "@fewnorm/presets";
import test from "tape";

test("names are wrapped within the width, and none is lost", (t) => {
  const names = ["resnet20", "resnet32", "vgg11", "lenet"];
  t.equal(wrapNames(names, 4, 25), "resnet20, resnet32,\n    vgg11, lenet");
  t.equal(wrapNames(names, 4, 97), names.join(", "));
  t.end();
});

test("every form of a norm has a line, and meanings stand below each other", (t) => {
  const lines = formatNorms().split("\n");
  t.equal(lines.length, normForms.length);
  const columns = normForms.map(({ form, meaning }, i) => {
    t.ok(lines[i]?.startsWith(`  ${form} `), form);
    return lines[i]?.indexOf(`  ${meaning}`);
  });
  t.equal(new Set(columns).size, 1);
  t.end();
});
