// The page of `mef dev`: which view is seen, and who is told what happens.

import { get } from "./api.js";
import { showCounters } from "./counters.js";
import { afterPause, byId, el, fill, inNextFrame } from "./dom.js";
import { DeadLetters, Queue } from "./kept.js";
import { Replay } from "./replay.js";
import { Requests } from "./requests.js";
import { showSources, updateSources } from "./sources.js";

const VIEWS = ["sources", "requests", "dead", "queue", "counters"];
const STATES = { live: "live", connecting: "connecting …", ended: "mef dev has ended" };

let state;
let wasLive = false;

const replay = new Replay(() => dead.refresh());
const dead = new DeadLetters(byId("view-dead"), replay);
const queue = new Queue(byId("view-queue"));
const requests = new Requests(byId("view-requests"), {
  state: showConnection,
  hear: {
    counters: (counters) => {
      if (state) Object.assign(state, counters);
      drawCounters();
    },
    changed: () => loadState(),
  },
});

/** Everything the numbers are in, once per frame. */
const drawCounters = inNextFrame(() => {
  if (!state) return;
  showCounters(byId("counters"), state);
  updateSources(byId("sources"), state.counts);
  const all = Object.values(state.counts);
  const total = (pick) => all.reduce((sum, count) => sum + pick(count), 0);
  const numbers = {
    sources: state.sources.length,
    requests: total((count) => count.requests.whole),
    dead: total((count) => count.dead),
    queue: total((count) => count.queue),
  };
  for (const [name, number] of Object.entries(numbers)) byId(`count-${name}`).textContent = number.toLocaleString("en");
  // A list that nobody looks at is read when somebody does.
  const kept = `${numbers.dead} ${numbers.queue}`;
  if (kept !== drawCounters.kept) refreshKept();
  drawCounters.kept = kept;
});

const refreshKept = afterPause(300, () => {
  if (current() === "dead") dead.refresh();
  if (current() === "queue") queue.refresh();
});

async function loadState() {
  try {
    state = await get("/page/state");
  } catch (error) {
    return showProblems([error.message]);
  }
  byId("listen").textContent = `sources on http://${state.listen}`;
  showProblems(state.problems);
  showSources(byId("sources"), state);
  const ids = state.sources.map((source) => source.source);
  [requests, dead, queue].forEach((view) => view.filters.sources(ids));
  drawCounters();
}

function showProblems(problems) {
  const place = byId("problems");
  place.hidden = problems.length === 0;
  if (problems.length > 0) {
    fill(
      place,
      el("strong", {}, "The files are not taken; the definitions from before go on serving."),
      el("ul", {}, problems.map((problem) => el("li", {}, el("pre", { text: problem })))),
    );
  }
}

function showConnection(word) {
  const place = byId("connection");
  if (place.dataset.state === word) return;
  // Whoever comes back may have missed a change.
  if (word === "live" && wasLive) loadState();
  wasLive ||= word === "live";
  place.dataset.state = word;
  place.textContent = STATES[word];
  if (word === "ended") showProblems(["mef dev has ended or was started anew. Open the URL that it prints when it starts."]);
}

/** The whole selection of the dead letters' list, per source. */
function selections() {
  const { text, source, reason, since, until } = dead.filters.values();
  const sources = source ? [source] : state.sources.map((one) => one.source);
  if (text) {
    // A replay does not look for text: it takes what the list shows.
    const found = sources.map((one) => ({ source: one, ids: dead.list.items.filter((item) => item.source === one).map((item) => item.messageId) }));
    return found.filter(({ ids }) => ids.length > 0);
  }
  const holding = sources.filter((one) => (state.counts[one]?.dead ?? 0) > 0);
  return holding.map((one) => ({ source: one, reason: reason || undefined, since: since || undefined, until: until || undefined }));
}

function deadActions() {
  const really = el(
    "dialog",
    { "aria-labelledby": "really-title" },
    el("h2", { id: "really-title" }, "Replay all that the list shows?"),
    el("p", {}, "Each goes through the definition that is in the files now. What becomes a message goes to the queue, what fails again stays a dead letter with its new reason."),
    el(
      "form",
      { method: "dialog", class: "actions" },
      el("button", { value: "no" }, "Cancel"),
      el("button", { value: "yes", class: "primary" }, "Replay"),
    ),
  );
  really.addEventListener("close", () => really.returnValue === "yes" && replay.real(selections()));
  fill(
    byId("dead-actions"),
    el("button", { type: "button", on: { click: () => replay.dry(selections()) } }, "Dry run all"),
    el("button", { type: "button", class: "primary", on: { click: () => really.showModal() } }, "Replay all …"),
    really,
  );
}

function current() {
  const view = location.hash.replace(/^#\//, "").split("?")[0];
  return VIEWS.includes(view) ? view : "sources";
}

/** Shows the view that the address names. */
function route() {
  if (location.hash && !location.hash.startsWith("#/")) return;
  const view = current();
  for (const name of VIEWS) byId(`view-${name}`).hidden = name !== view;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${view}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${byId(`title-${view}`).textContent} · mef dev`;
  const asked = new URLSearchParams(location.hash.split("?")[1] ?? "");
  if (view === "dead" && asked.has("text")) dead.filters.set({ text: asked.get("text") });
  else if (view === "dead") dead.load();
  if (view === "queue") queue.load();
  if (view === "requests") requests.list.draw();
}

addEventListener("hashchange", () => {
  if (!location.hash.startsWith("#/")) return;
  route();
  byId("main").focus({ preventScroll: true });
});

deadActions();
route();
loadState();
requests.load();
