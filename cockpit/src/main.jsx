// Starts the page, in the colours that Cockpit is shown in.
import React from "react";
import { createRoot } from "react-dom/client";
import cockpit from "cockpit";
import "@patternfly/react-core/dist/styles/base.css";
import "./page.css";
import { App } from "./app.jsx";

const DARK = "pf-v6-theme-dark";
const prefers = window.matchMedia("(prefers-color-scheme: dark)");

// "auto", "dark" or "light", as the shell keeps it and tells it.
function dress(style) {
    const wanted = style || localStorage.getItem("shell:style") || "auto";
    document.documentElement.classList.toggle(DARK, wanted === "dark" || (wanted === "auto" && prefers.matches));
}

window.addEventListener("storage", (e) => e.key === "shell:style" && dress(e.newValue));
window.addEventListener("cockpit-style", (e) => dress(e.detail?.style));
prefers.addEventListener("change", () => dress());
dress();
cockpit.transport.wait(() => createRoot(document.getElementById("app")).render(<App />));
