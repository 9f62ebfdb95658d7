// A process that takes the folders that it is told, and says which of them it got. It gives none back.

import { takeOut } from "../src/out-folder.ts";

process.on("message", (folder: string) => {
  takeOut(folder, true).then(
    () => process.send?.("taken"),
    (error: Error) => process.send?.(error.message),
  );
});
