// What is in the queues: dead letters, and the messages a SIEM pulls.

import { get } from "./api.js";
import { bodyText, detailList } from "./body.js";
import { explainable } from "./copy.js";
import { byId, el, fill } from "./dom.js";
import { Filters } from "./filters.js";
import { List } from "./list.js";
import { DEAD_REASONS, REASONS, clock, plural, size } from "./words.js";

class Kept {
  constructor(section, { lane, list, foot, pane, label, row, fields, cells, nothing }) {
    Object.assign(this, { lane, foot, pane, nothing, values: {}, matched: 0, turn: 0, busy: false });
    this.filters = new Filters(section.querySelector("form"), { reasons: DEAD_REASONS, fields }, (values) => this.load(values));
    this.list = new List(list, {
      label,
      row,
      key: (item) => `${item.source.replaceAll("/", "-")}-${item.messageId}`,
      render: cells,
      choose: (item) => this.open(item),
      end: () => this.loadMore(),
    });
    this.closed();
  }

  async load(values = this.values) {
    this.values = values;
    const turn = (this.turn += 1);
    let text;
    try {
      const kept = await get("/page/kept", { lane: this.lane, ...values });
      if (turn !== this.turn) return;
      this.matched = kept.matched;
      this.list.set(kept.rows);
      text = this.summary(kept);
      // What was open may have been replayed, or read and deleted.
      const all = kept.rows.length === kept.matched;
      if (this.opening && all && !kept.rows.some((row) => this.list.key(row) === this.list.key(this.opening))) this.closed();
    } catch (error) {
      if (turn !== this.turn) return;
      text = error.message;
    }
    this.foot.textContent = text;
  }

  /** Reads the list again, once more where it is being read already. */
  async refresh() {
    this.stale = true;
    if (this.refreshing) return;
    this.refreshing = true;
    while (this.stale) {
      this.stale = false;
      await this.load();
    }
    this.refreshing = false;
  }

  summary(kept) {
    if (kept.matched === 0) return this.nothing;
    const reasons = Object.entries(kept.byReason).map(([reason, count]) => `${count} ${reason}`);
    const some = kept.complete ? "" : " (not all were looked at: narrow the search)";
    return plural(kept.matched, this.lane === "dead" ? "dead letter" : "message") + (reasons.length > 0 ? `: ${reasons.join(", ")}` : "") + some;
  }

  async loadMore() {
    const offset = this.list.items.length;
    if (this.busy || offset === 0 || offset >= this.matched) return;
    this.busy = true;
    const turn = this.turn;
    try {
      const kept = await get("/page/kept", { lane: this.lane, ...this.values, offset });
      if (turn === this.turn && kept.rows.length > 0) this.list.append(kept.rows);
      else this.matched = offset;
    } catch {
      this.matched = offset;
    } finally {
      this.busy = false;
    }
  }

  async open(item) {
    this.opening = item;
    try {
      const message = await get("/page/message", { lane: this.lane, source: item.source, id: item.messageId });
      if (this.opening === item) this.show(message);
    } catch (error) {
      if (this.opening === item) fill(this.pane, el("h2", {}, "Not there"), el("p", { class: "caution" }, error.message));
    }
  }

  closed() {
    this.opening = undefined;
    fill(this.pane, el("h2", {}, "Nothing chosen"), el("p", { class: "muted" }, "Choose a row to see it whole. Arrow keys move through the list."));
  }
}

const fact = (name, value) => value !== undefined && value !== null && value !== "" && [el("dt", {}, name), el("dd", { text: value })];

export class DeadLetters extends Kept {
  constructor(section, replay) {
    super(section, {
      lane: "dead",
      list: byId("dead"),
      foot: byId("dead-foot"),
      pane: byId("letter"),
      label: "Dead letters, newest first",
      row: "kept-row",
      fields: ["text", "source", "reason", "since", "until"],
      cells: (item) => [
        el("span", { class: "mono" }, clock(item.at)),
        el("span", {}, el("span", { class: "chip warn" }, item.reason)),
        el("span", { class: "cut" }, item.kind ?? "–"),
        el("span", { class: "cut" }, item.what ?? REASONS[item.reason] ?? ""),
        el("span", { class: "cut muted" }, item.source),
      ],
      nothing: "No dead letter that fits. What is genuine and cannot be used comes here, with its reason.",
    });
    this.replay = replay;
  }

  show(message) {
    const { letter } = message;
    const one = [{ source: message.source, ids: [message.messageId] }];
    fill(
      this.pane,
      el("h2", {}, message.kind ?? "Dead letter", " ", el("span", { class: "chip warn" }, message.reason)),
      el("p", {}, REASONS[message.reason] ?? ""),
      letter && detailList(letter.detail),
      el(
        "p",
        { class: "actions" },
        el("button", { type: "button", on: { click: () => this.replay.dry(one) } }, "Dry run this letter"),
        el("button", { type: "button", class: "primary", on: { click: () => this.replay.real(one) } }, "Replay this letter"),
      ),
      el("h3", {}, "Body"),
      bodyText(message.body, "Body of the dead letter", letter?.detail ?? []),
      el("h3", {}, "Facts"),
      el(
        "dl",
        { class: "facts" },
        fact("source", message.source),
        fact("received", message.at),
        fact("refused by", letter && `${letter.stage}, definition ${letter.definition}`),
        fact("refused", letter && plural(letter.attempts, "time")),
        fact("item", letter?.item),
        fact("request", letter && `${letter.method} ${letter.requestId}`),
        fact("query", letter?.query),
        fact("type", letter?.contentType),
        letter && Object.entries(letter.headers).map(([name, value]) => fact("header", `${name}: ${value}`)),
        fact("event id", message.id),
        fact("body sha256", letter?.bodySha256),
      ),
      message.explain && explainable(message.explain),
    );
  }
}

export class Queue extends Kept {
  constructor(section) {
    super(section, {
      lane: "events",
      list: byId("queue"),
      foot: byId("queue-foot"),
      pane: byId("message"),
      label: "Messages in the queue, newest first",
      row: "queue-row",
      fields: ["text", "source", "since", "until"],
      cells: (item) => [
        el("span", { class: "mono" }, clock(item.at)),
        el("span", { class: "cut mono" }, item.id),
        el("span", { class: "cut muted" }, item.source),
        el("span", { class: "number mono" }, size(item.bytes)),
      ],
      nothing: "No message that fits. A SIEM that pulls takes messages away; until then they are here.",
    });
  }

  show(message) {
    fill(
      this.pane,
      el("h2", {}, "Message"),
      el(
        "dl",
        { class: "facts" },
        fact("source", message.source),
        fact("kept", message.sentAt),
        fact("received by readers", plural(message.receiveCount, "time")),
        fact("event id", message.id),
        fact("message", message.messageId),
      ),
      el("h3", {}, "Body"),
      bodyText(message.body, "Body of the message"),
    );
  }
}
