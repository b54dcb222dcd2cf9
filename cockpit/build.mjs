// Makes the page: node build.mjs DIRECTORY.  What it needs is in node_modules beside it (npm ci).
import { cpSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const to = process.argv[2] || join(here, "dist");

mkdirSync(to, { recursive: true });
await esbuild.build({
    entryPoints: { page: join(here, "src", "main.jsx") },
    outdir: to,
    bundle: true,
    minify: true,
    legalComments: "linked",
    target: ["es2020"],
    define: { "process.env.NODE_ENV": '"production"' },
    // Cockpit gives its own library to every page.
    alias: { cockpit: join(here, "src", "cockpit.js") },
    // Pictures are for pages of other kinds.
    loader: { ".woff2": "file", ".svg": "empty", ".png": "empty", ".jpg": "empty" },
    assetNames: "[name]",
});
for (const name of ["index.html", "manifest.json"])
    cpSync(join(here, name), join(to, name));
