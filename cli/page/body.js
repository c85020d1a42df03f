// A body, with the places that are wrong.

import { el, visible } from "./dom.js";
import { sentence, size } from "./words.js";

const KINDS = { json: "JSON", text: "text, no JSON", binary: "bytes, in hexadecimal", empty: "empty" };

/** The body as a scrolling text; each place that is wrong is marked and says what is wrong there. */
export function bodyText(body, label, details = []) {
  const head = el("p", { class: "code-head" }, `${KINDS[body.kind]}, ${size(body.bytes)}`);
  if (body.kind === "empty") return el("div", { class: "code-box" }, head);
  const text = el("pre", { class: "code", tabindex: "0", role: "region", "aria-label": label });
  const code = el("code", { dir: "ltr" });
  text.append(code);
  for (const part of parts(body)) code.append(...(part.marks ? markedLine(part, details) : visible(part.text)));
  if (body.truncated) head.append(" — the beginning; there is more");
  // The first place that is wrong is seen without a search.
  const first = text.querySelector(".marked-line");
  if (first) requestAnimationFrame(() => (text.scrollTop = first.offsetTop - text.offsetTop - text.clientHeight / 2));
  return el("div", { class: "code-box" }, head, text);
}

/** Lines with marks alone, the others in as few pieces as possible. */
function parts(body) {
  if (body.marks.length === 0) return [{ text: body.text }];
  const byLine = Map.groupBy ? Map.groupBy(body.marks, (mark) => mark.line) : grouped(body.marks);
  const found = [];
  let plain = [];
  const flush = () => {
    if (plain.length > 0) found.push({ text: plain.join("\n") + "\n" });
    plain = [];
  };
  body.text.split("\n").forEach((line, number) => {
    const marks = byLine.get(number);
    if (!marks) return plain.push(line);
    flush();
    found.push({ text: line, marks });
  });
  flush();
  return found;
}

function grouped(marks) {
  const byLine = new Map();
  for (const mark of marks) byLine.set(mark.line, [...(byLine.get(mark.line) ?? []), mark]);
  return byLine;
}

function markedLine({ text, marks }, details) {
  const line = el("span", { class: "marked-line" });
  let from = 0;
  for (const mark of marks) {
    if (mark.from < from) continue;
    line.append(...visible(text.slice(from, mark.from)));
    line.append(el("mark", { class: "wrong" }, text.slice(mark.from, mark.to) || "⏎"));
    from = mark.to;
  }
  line.append(...visible(text.slice(from)));
  for (const mark of marks) {
    const detail = details[mark.detail];
    if (detail) line.append(el("span", { class: "marked-note" }, `◀ ${detail.message}`));
  }
  return [line, document.createTextNode("\n")];
}

/** What is wrong, as a list. */
export function detailList(details) {
  return el(
    "ul",
    { class: "details" },
    details.map((detail) =>
      el("li", {}, sentence(detail), detail.schemaPath && el("span", { class: "muted" }, ` — by the schema at ${detail.schemaPath}`)),
    ),
  );
}
