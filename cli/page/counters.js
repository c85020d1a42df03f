// Both laws in numbers, per source, and whether they hold.

import { byId, el, fill } from "./dom.js";

const REQUESTS = ["challenged", "rejected", "accepted", "unavailable", "in-flight"];
const EVENTS = ["delivered", "duplicate", "dead_lettered", "filtered"];
const NAMES = { "in-flight": "in flight", dead_lettered: "dead-lettered" };

/** Readings in a row in which a law does not hold before that is said: one may fall between two steps of a request. */
const PATIENCE = 3;
const broken = new Map();

/** The counters anew. */
export function showCounters(place, { counts, unrouted }) {
  let fine = true;
  const cards = Object.entries(counts).map(([source, count]) => {
    const id = `counts-${source.replaceAll("/", "-")}`;
    const requests = verdict(`${source} requests`, count.requests.addsUp);
    const events = verdict(`${source} events`, count.events.addsUp);
    fine &&= requests.state !== "broken" && events.state !== "broken";
    return el(
      "article",
      { class: "card", "aria-labelledby": id, "data-source": source },
      el("h2", { id }, el("code", { text: source })),
      law("Requests", "received", count.requests, REQUESTS, requests),
      law("Events of accepted requests", "parsed", count.events, EVENTS, events),
      reasons("Refused requests", { ...count.requests.parts.rejected, ...count.requests.parts.unavailable }),
      reasons("Dead letters since the start", count.events.parts.dead_lettered),
      el("p", { class: "muted" }, `Kept now: ${count.queue} in the queue, ${count.dead} dead letters.`),
    );
  });
  fill(place, cards, unrouted > 0 && el("p", { class: "caution" }, `${unrouted} requests went to a path of no source and got 404. Is the URL at the vendor the one of the source?`));
  byId("count-laws").textContent = fine ? "✓" : "✕";
  byId("count-laws").title = fine ? "Both laws hold for every source" : "A law does not hold";
}

function verdict(name, addsUp) {
  const times = addsUp ? 0 : (broken.get(name) ?? 0) + 1;
  broken.set(name, times);
  if (addsUp) return { state: "holds", word: "✓ adds up" };
  return times < PATIENCE ? { state: "moving", word: "… counting" } : { state: "broken", word: "✕ does not add up: please report it" };
}

const sum = (part) => Object.values(part ?? {}).reduce((one, other) => one + other, 0);

function law(title, whole, terms, names, { state, word }) {
  const term = (name, count) => el("span", { class: "term" }, el("b", {}, count.toLocaleString("en")), el("span", {}, NAMES[name] ?? name));
  const parts = names.map((name, index) => [el("span", { class: "sign" }, index === 0 ? "=" : "+"), term(name, sum(terms.parts[name]))]);
  return el("div", { class: "law" }, el("h3", {}, title), el("p", { class: "equation" }, term(whole, terms.whole), parts, el("span", { class: "holds", "data-state": state }, word)));
}

function reasons(title, counts = {}) {
  const rows = Object.entries(counts).filter(([, count]) => count > 0);
  if (rows.length === 0) return undefined;
  return el(
    "table",
    { class: "reasons" },
    el("caption", {}, title),
    el("tbody", {}, rows.map(([reason, count]) => el("tr", {}, el("th", { scope: "row" }, reason), el("td", { class: "number" }, count.toLocaleString("en"))))),
  );
}
