// The last requests, live, and one of them stage by stage.

import { follow, get } from "./api.js";
import { bodyText, detailList } from "./body.js";
import { explainable } from "./copy.js";
import { add, announce, byId, el, fill, inNextFrame } from "./dom.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { DEAD_REASONS, REASONS, REJECT_REASONS, STAGES, became, clock, glyphOf, plural, size, took, toneOf } from "./words.js";

/** As many as `mef dev` remembers. */
const MOST_ROWS = 10000;
const OUTCOMES = ["accepted", "delivered", "duplicate", "dead-lettered", "filtered", "not-kept", "challenged", "rejected", "unavailable"];

export class Requests {
  constructor(section, { hear, state }) {
    Object.assign(this, { hear, state, values: {}, arrived: [], more: false, busy: false, turn: 0 });
    this.filters = new Filters(
      section.querySelector("form"),
      {
        outcomes: OUTCOMES,
        reasons: [...DEAD_REASONS, ...REJECT_REASONS],
        fields: ["text", "source", "outcome", "reason", "since", "until"],
      },
      (values) => this.load(values),
    );
    this.list = new List(byId("requests"), {
      label: "Requests, newest first",
      row: "requests-row",
      key: (row) => row.number,
      render: cells,
      choose: (row) => this.open(row.number),
      end: () => this.loadMore(),
    });
    this.flush = inNextFrame(() => this.show());
    this.nothingChosen();
  }

  /** Fetches what is there, then follows what comes. */
  async load(values = this.values) {
    this.values = values;
    const turn = (this.turn += 1);
    this.source?.close();
    this.arrived = [];
    try {
      const listed = await get("/page/requests", values);
      if (turn !== this.turn) return;
      this.list.set(listed.rows);
      this.more = listed.more;
      this.problem = undefined;
      this.connect(listed.latest);
    } catch (error) {
      if (turn !== this.turn) return;
      this.problem = error.message;
      this.connect();
    }
    this.foot();
  }

  connect(after) {
    const hear = {
      ...this.hear,
      requests: (rows) => {
        this.arrived.push(...rows);
        this.flush();
      },
      missed: () => this.load(),
    };
    const values = this.problem ? {} : { ...this.values, after };
    this.source = follow(values, this.problem ? this.hear : hear, this.state);
  }

  /** Everything that came since the last frame, at once. */
  show() {
    const rows = this.arrived.reverse().slice(0, MOST_ROWS);
    this.arrived = [];
    if (rows.length === 0) return;
    this.list.prepend(rows, MOST_ROWS);
    this.foot();
    const dead = rows.reduce((sum, row) => sum + row.deadLettered, 0);
    const refused = rows.filter((row) => row.outcome === "rejected" || row.outcome === "unavailable").length;
    const more = [dead && plural(dead, "dead letter"), refused && `${refused} refused`].filter(Boolean).join(", ");
    announce(`${plural(rows.length, "new request")}${more && `: ${more}`}`);
  }

  async loadMore() {
    const last = this.list.items.at(-1);
    if (!this.more || this.busy || !last) return;
    this.busy = true;
    const turn = this.turn;
    try {
      const listed = await get("/page/requests", { ...this.values, before: last.number });
      if (turn === this.turn) {
        this.more = listed.more && this.list.items.length + listed.rows.length < MOST_ROWS;
        this.list.append(listed.rows);
        this.foot();
      }
    } catch {
      this.more = false;
    } finally {
      this.busy = false;
    }
  }

  foot() {
    const count = this.list.items.length;
    const text = this.problem ?? (count === 0 ? "No request yet that fits. New ones appear here by themselves." : plural(count, "request") + (this.more ? ", older ones follow when you scroll" : ""));
    byId("requests-foot").textContent = text;
  }

  nothingChosen() {
    fill(
      byId("request"),
      el("h2", {}, "Nothing chosen"),
      el("p", { class: "muted" }, "Choose a request to see what each stage said of it. Arrow keys move through the list."),
    );
  }

  async open(number) {
    this.opening = number;
    try {
      const request = await get("/page/request", { number });
      if (this.opening === number) whole(byId("request"), request);
    } catch (error) {
      if (this.opening === number) fill(byId("request"), el("h2", {}, `Request ${number}`), el("p", { class: "caution" }, error.message));
    }
  }
}

function cells(row) {
  const { word, tone } = became(row);
  return [
    el("span", { class: "mono" }, clock(row.at)),
    el("span", {}, el("span", { class: `chip ${tone}` }, word)),
    el(
      "span",
      { class: "strip" },
      row.stages.map((verdict) => el("i", { class: toneOf(verdict), "aria-hidden": "true" }, glyphOf(verdict))),
      el("span", { class: "unseen" }, stagesInWords(row)),
    ),
    el("span", { class: "cut" }, row.kind ?? reasonOf(row)),
    el("span", { class: "cut muted" }, row.source),
    el("span", { class: "number mono" }, row.status),
    el("span", { class: "number mono" }, took(row.milliseconds)),
  ];
}

const reasonOf = (row) => (row.reason === "none" ? (row.deadReason ?? (row.outcome === "challenged" ? "handshake" : "")) : row.reason);

/** The strip in words. */
function stagesInWords(row) {
  const at = (verdict) => STAGES.filter((_, index) => row.stages[index] === verdict).join(", ");
  if (at("failed")) return `failed at ${at("failed")}`;
  return at("dropped") ? `dropped at ${at("dropped")}` : "no stage failed";
}

function whole(pane, request) {
  const { word, tone } = became(request);
  const reason = reasonOf(request);
  fill(
    pane,
    el("h2", {}, request.kind ?? `Request ${request.number}`, " ", el("span", { class: `chip ${tone}` }, word)),
    el("p", { class: "summary" }, `${request.source} · ${clock(request.at)} · ${request.status} after ${took(request.times.total)} · ${size(request.bytes)}`),
    request.reason !== "none" && el("p", { class: "caution" }, el("strong", {}, reason), ` — ${REASONS[reason] ?? "see the list of reasons in the manual"}`),
    !request.explain && el("p", { class: "muted" }, "Nothing of the request itself is kept: it did not prove itself, was a handshake, or is too large."),
    request.events.length !== 1 && stages("Stages of the request", request.stageVerdicts, request.times),
    request.events.map((event, index) => eventPart(request, event, index)),
  );
  if (request.eventCount > request.events.length) add(pane, [el("p", { class: "muted" }, `and ${plural(request.eventCount - request.events.length, "event")} more`)]);
  add(pane, [
    el("h3", {}, "Facts"),
    el(
      "dl",
      { class: "facts" },
      fact("received", request.at),
      fact("request id", request.requestId),
      fact("definition", request.definition),
      request.secret !== null && fact("secret", `the one at position ${request.secret} of webhook.secrets`),
    ),
    request.explain && explainable(request.explain),
  ]);
}

const fact = (name, value) => [el("dt", {}, name), el("dd", { text: value })];

const BECAME = { delivered: "delivered", duplicate: "in the queue already", "dead-lettered": "dead letter", filtered: "filtered", "not-kept": "not kept" };

function eventPart(request, event, index) {
  const alone = request.events.length === 1;
  const title = alone ? "Stages" : `Event ${index + 1} of ${request.eventCount}: ${BECAME[event.became]}`;
  return el(
    "section",
    { class: "event" },
    stages(title, alone ? [...request.stageVerdicts, ...event.stages] : event.stages, alone ? request.times : undefined),
    event.detail.length > 0 && detailList(event.detail),
    event.reason && el("p", {}, `${event.reason}: ${REASONS[event.reason]} `, event.id && el("a", { href: `#/dead?text=${event.id}` }, "Open the dead letter")),
    event.id && el("p", { class: "muted" }, "event id ", el("code", { class: "breaks", text: event.id })),
    event.message && [el("h3", {}, "The message in the queue"), bodyText(event.message, "The message in the queue")],
  );
}

/** The stages in their order, each with what it said, and where the time went. */
function stages(title, verdicts, times) {
  return [
    el("h3", {}, title),
    el(
      "ol",
      { class: "stages" },
      verdicts.map(([stage, verdict]) =>
        el("li", { class: toneOf(verdict) }, el("span", { class: "glyph", "aria-hidden": "true" }, glyphOf(verdict)), el("span", { class: "stage" }, stage), el("span", { class: "verdict" }, verdict)),
      ),
    ),
    times &&
      el("p", { class: "muted times" }, `receive ${took(times.receive)} · challenge to envelope ${took(times.process)} · deliver ${took(times.deliver)} · in all ${took(times.total)}`),
  ];
}
