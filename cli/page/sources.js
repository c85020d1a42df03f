// The sources: where they are, how they are set up at the vendor, whether the vendor has tested them.

import { copyButton } from "./copy.js";
import { el, fill } from "./dom.js";
import { clock, plural } from "./words.js";

const ORIGINS = {
  object: () => "from the Secret object in the files",
  given: (secret) => `from ${secret.file ?? "a file"}`,
  generated: (secret) => `made for you: enter it at the sender. Its value is in ${secret.file}`,
  standIn: (secret) => `a stand-in: put the one that the vendor issues into ${secret.file}. Until then only mef send is believed`,
  missing: () => "missing",
};

/** Everything about the sources, anew. */
export function showSources(place, state) {
  fill(
    place,
    state.sources.map((source) => card(source, state.counts[source.source])),
  );
}

/** What moves in it. */
export function updateSources(place, counts) {
  for (const element of place.querySelectorAll("[data-challenge]")) {
    const count = counts[element.dataset.challenge];
    const said = JSON.stringify(count?.challenge);
    if (!count || element.dataset.said === said) continue;
    element.dataset.said = said;
    fill(element, challenge(count.challenge));
  }
  for (const element of place.querySelectorAll("[data-kept]")) {
    const count = counts[element.dataset.kept];
    // In place: somebody may be on one of these links.
    if (count) keptTexts(count).forEach((text, index) => (element.children[index].textContent = text));
  }
}

function card(source, count) {
  const id = `source-${source.source.replaceAll("/", "-")}`;
  return el(
    "article",
    { class: "card", "aria-labelledby": id },
    el("h2", { id }, source.title, " ", el("code", { class: "muted", text: source.source })),
    el(
      "div",
      { class: "columns" },
      el(
        "div",
        {},
        el("p", { class: "url" }, el("code", { class: "breaks", text: source.url }), " ", copyButton("Copy URL", () => source.url, `Copy URL of ${source.source}`)),
        el(
          "dl",
          { class: "facts" },
          source.localUrl !== source.url && fact("here", source.localUrl),
          fact("provider", source.provider),
          fact("definition", `${source.definition}, from ${source.file}`),
          el("dt", {}, "challenge"),
          source.hasChallenge ? el("dd", { "data-challenge": source.source }, challenge(count?.challenge)) : el("dd", {}, "this provider does not test the endpoint"),
          source.secrets.map((secret) => [
            el("dt", {}, "secret"),
            el(
              "dd",
              { class: secret.origin === "standIn" || secret.origin === "missing" ? "doubt" : undefined },
              el("code", { text: `${secret.name}/${secret.key}` }),
              ` ${ORIGINS[secret.origin](secret)}.`,
              secret.about && el("details", {}, el("summary", {}, "About this secret"), el("p", {}, secret.about)),
            ),
          ]),
          fact("retries", source.retry),
          el("dt", {}, "so far"),
          el("dd", { "data-kept": source.source }, kept(count)),
        ),
        source.example && el("p", { class: "command" }, el("code", { text: `mef send ${source.file} ${source.example}` }), " ", copyButton("Copy", () => `mef send ${source.file} ${source.example}`, "Copy the command that sends a test event")),
      ),
      el(
        "section",
        { "aria-label": `Set-up at ${source.title}` },
        el("h3", {}, "Set-up at the vendor"),
        source.setup.length === 0 && el("p", { class: "muted" }, "This provider has no printed steps: enter the URL and the secret at the sender."),
        el("ol", { class: "setup" }, source.setup.map((step) => el("li", { text: step }))),
        source.links.length > 0 && el("p", { class: "muted" }, "From: ", source.links.map((link) => [el("span", { class: "breaks", text: link }), " "])),
      ),
    ),
  );
}

const fact = (name, value) => [el("dt", {}, name), el("dd", { text: value })];

const KEPT_VIEWS = ["requests", "queue", "dead"];

const keptTexts = (count) => [plural(count.requests.whole, "request"), `${count.queue.toLocaleString("en")} in the queue`, plural(count.dead, "dead letter")];

const kept = (count) => keptTexts(count).map((text, index) => [index > 0 && ", ", el("a", { href: `#/${KEPT_VIEWS[index]}` }, text)]);

function challenge(seen) {
  if (!seen || (seen.answered === 0 && seen.refused === 0)) return [el("span", { class: "chip plain" }, "never seen"), " since mef dev started"];
  return [
    seen.answered > 0 && [el("span", { class: "chip good" }, `answered at ${clock(seen.answeredAt)}`), ` ${plural(seen.answered, "time")} `],
    seen.refused > 0 && [el("span", { class: "chip bad" }, `refused at ${clock(seen.refusedAt)}`), ` ${plural(seen.refused, "time")}: its text is not the vendor's`],
  ];
}
