import { fullBatch, strategyConformance } from "@fewnorm/sampling";
import test from "tape";

strategyConformance(test, fullBatch(), { fixedOrigin: true });

test("fullBatch: samples all rows of whole maps", (t) => {
  const shape = { rows: 5, height: 3, width: 2 };
  t.deepEqual(fullBatch().extent(shape), shape);
  t.end();
});
