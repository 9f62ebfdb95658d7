// The page: `vite build` makes a static site of it that works under any path, `vite preview` serves that.

import { defineConfig } from "vite";

/** With these two, pages may share memory with workers, which threads need. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

// biome-ignore lint/style/noDefaultExport: Vite asks for one
export default defineConfig({
  base: "./",
  build: {
    outDir: "dist/site",
    emptyOutDir: true,
    rolldownOptions: { checks: { pluginTimings: false } },
  },
  // Backends are loaded when they are asked for, which takes module workers.
  worker: { format: "es" },
  preview: { headers },
});
