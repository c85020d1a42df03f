// Texts to take along: a button that copies, and the text itself for those whose browser does not.

import { announce, el } from "./dom.js";

/** A button that copies what `text` gives. */
export function copyButton(label, text, about = "") {
  const button = el("button", { type: "button", class: "small", "aria-label": about || undefined }, label);
  button.addEventListener("click", async () => {
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(text());
    } catch {
      said = "Not allowed to copy: select the text below";
    }
    button.textContent = said;
    announce(said);
    setTimeout(() => (button.textContent = label), 2000);
  });
  return button;
}

/** A request or letter in the form that `mef explain --request` takes. */
export function explainable(explain) {
  const document = el("pre", { class: "code", tabindex: "0", role: "region", "aria-label": "The request as JSON" });
  document.append(el("code", { class: "explain-document", text: explain.document }));
  return el(
    "section",
    { class: "explain" },
    el("h3", {}, "Explain it elsewhere"),
    el(
      "p",
      {},
      copyButton("Copy as mef explain request", () => explain.document),
      " and save it; then ",
    ),
    el("p", { class: "command" }, el("code", { text: explain.command }), " ", copyButton("Copy", () => explain.command, "Copy the command")),
    explain.caution && el("p", { class: "caution" }, explain.caution),
    el("details", {}, el("summary", {}, "Show what is copied"), document),
  );
}
