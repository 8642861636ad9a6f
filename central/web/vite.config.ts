import { defineConfig, type Plugin } from "vite";

/** Tells the service worker which files the app cannot be shown without, and gives each build a name of its own. */
function shell(): Plugin {
  return {
    name: "doorward-shell",
    generateBundle(_, bundle) {
      const files = Object.values(bundle);
      const entry = files.find((file) => file.type === "chunk" && file.isEntry && file.name === "index");
      const styles = files.filter((file) => file.fileName.startsWith("assets/index") && file.fileName.endsWith(".css"));
      const needed = entry?.type === "chunk" ? [entry.fileName, ...entry.imports, ...styles.map((file) => file.fileName)] : [];
      const worker = files.find((file) => file.fileName === "sw.js");
      if (worker?.type !== "chunk") throw new Error("the service worker was not built");
      worker.code = worker.code.replace("SHELL_FILES", needed.map((name) => "/" + name).join(" "));
    },
  };
}

export default defineConfig({
  plugins: [shell()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: "es2022",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { index: "index.html", sw: "src/worker/sw.ts" },
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  test: { include: ["src/**/*.test.ts"] },
} as Parameters<typeof defineConfig>[0]);
