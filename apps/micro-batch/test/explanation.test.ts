import test from "tape";
import { explanation } from "../src/page/explanation.ts";
import { defaults } from "../src/settings.ts";

test("what is said of batch norm is so at every size of micro-batch", (t) => {
  const said = (micro: number) => explanation({ ...defaults, micro });
  t.match(said(1)[1], /single image.*cannot be trained/);
  t.match(said(2)[1], /of 2 images alone, .* fit none of them/);
  for (const micro of [4, 8, 16]) {
    const [, norm] = said(micro);
    t.match(norm, new RegExp(`of ${micro} images alone, and the fewer`));
    t.doesNotMatch(norm, /fit none/, "its accuracy is near that of the whole batch");
  }
  const [, norm, samples] = said(32);
  t.match(norm, /of all 32 images/);
  t.doesNotMatch(`${norm} ${samples}`, /fit none|never been split/, "nothing is split");
  t.end();
});
