// Replays from the page: a dry run with its differences, and the real one with its progress.

import { replay } from "./api.js";
import { announce, byId, el, fill, inNextFrame } from "./dom.js";
import { plural } from "./words.js";

/** Letters whose outcome is shown one by one; the others are counted. */
const MOST_SHOWN = 50;

export class Replay {
  /** `done` is told when letters may have changed. */
  constructor(done) {
    this.done = done;
    this.panel = byId("replay");
  }

  dry(selections) {
    return this.run(selections, true);
  }

  real(selections) {
    return this.run(selections, false);
  }

  /** Each selection is a source with ids, or with what else a replay selects by. */
  async run(selections, dryRun) {
    this.stop?.abort();
    const stop = (this.stop = new AbortController());
    const run = new Run(this.panel, dryRun, () => stop.abort());
    try {
      for (const selection of selections) {
        await replay({ ...selection, dryRun }, (line) => run.take(line), stop.signal);
      }
      run.end();
    } catch (error) {
      run.end(stop.signal.aborted ? "Stopped. What was finished stays so; everything else is where it was." : error.message);
    }
    if (this.stop === stop) this.stop = undefined;
    if (!dryRun) this.done();
  }
}

class Run {
  constructor(panel, dryRun, stop) {
    Object.assign(this, { panel, dryRun, counts: { matched: 0, delivered: 0, failedAgain: 0, filtered: 0, skipped: 0 }, letters: 0, seen: 0, shown: 0 });
    this.word = dryRun ? "Dry run" : "Replay";
    this.bar = el("progress", { "aria-label": `${this.word}: letters done` });
    this.status = el("p", { class: "replay-status", role: "status" }, "Reading the files as they are now …");
    this.stopButton = el("button", { type: "button", class: "small", on: { click: stop } }, "Stop");
    this.entries = el("ol", { class: "entries" });
    this.close = el("button", { type: "button", class: "small", on: { click: () => this.hide() } }, "Close");
    this.draw = inNextFrame(() => this.progress());
    fill(
      panel,
      el("h2", { id: "title-replay", tabindex: "-1" }, dryRun ? "Dry run: nothing is changed" : "Replay"),
      el("div", { class: "replay-head" }, this.bar, this.status, this.stopButton, this.close),
      this.entries,
    );
    this.close.hidden = true;
    panel.hidden = false;
    panel.dataset.state = "running";
    panel.querySelector("h2").focus({ preventScroll: true });
    panel.scrollIntoView({ block: "nearest" });
  }

  take(line) {
    if (line.begun) {
      this.letters += line.begun.letters;
      this.definition = line.begun.definition;
    } else if (line.entry) {
      this.seen += 1;
      this.entry(line.entry);
    } else if (line.report) {
      for (const name of Object.keys(this.counts)) this.counts[name] += line.report[name];
      this.incomplete ||= !line.report.complete;
      this.reported = true;
    } else if (line.error) {
      this.problem = line.error;
    }
    this.draw();
  }

  progress() {
    if (this.panel.dataset.state !== "running") return;
    if (this.letters > 0) {
      this.bar.max = this.letters;
      this.bar.value = Math.min(this.seen, this.letters);
    }
    this.status.textContent = `${this.seen} of ${plural(this.letters, "letter")}${this.definition ? ` through definition ${this.definition}` : ""}`;
  }

  entry(entry) {
    if (this.shown >= MOST_SHOWN) return;
    this.shown += 1;
    const tone = entry.leftAlone ? "plain" : entry.outcomes.some((outcome) => outcome.outcome === "deadLetter") ? "bad" : "good";
    this.entries.append(
      el(
        "li",
        {},
        el("p", {}, el("code", { text: entry.id.slice(0, 12) }), ` ${entry.reason} → `, el("span", { class: `chip ${tone}` }, becomes(entry))),
        entry.differences.map((difference) => diff(difference)),
      ),
    );
  }

  end(problem = this.problem) {
    const { matched, delivered, failedAgain, filtered, skipped } = this.counts;
    this.panel.dataset.state = problem ? "failed" : "done";
    this.bar.max = 1;
    this.bar.value = 1;
    this.bar.hidden = true;
    this.stopButton.hidden = true;
    this.close.hidden = false;
    const would = this.dryRun ? "would be " : "";
    const said = `${plural(matched, "letter")}: ${delivered} ${would}delivered, ${failedAgain} ${this.dryRun ? "would fail again" : "failed again"}, ${filtered} ${would}filtered, ${skipped} left alone`;
    const more = this.incomplete ? "; there may be more" : "";
    const text = problem ?? said + more + (this.definition ? `. Definition ${this.definition}` : "");
    this.status.textContent = text;
    this.status.classList.toggle("caution", Boolean(problem));
    if (this.seen > this.shown) this.entries.append(el("li", { class: "muted" }, `and ${this.seen - this.shown} more`));
    announce(`${this.word} ended. ${text}`);
  }

  hide() {
    this.panel.hidden = true;
    fill(this.panel);
    byId("dead").focus();
  }
}

const OUTCOMES = { deliver: "deliver", filter: "filtered" };

function becomes(entry) {
  if (entry.leftAlone) return `left alone: ${entry.leftAlone}`;
  if (entry.resent) return "delivered as it is";
  return entry.outcomes.map(({ outcome, reason }) => OUTCOMES[outcome] ?? `dead letter (${reason})`).join(", ");
}

/** A diff, line by line; the sign before each line says the same as its colour. */
function diff(text) {
  const pre = el("pre", { class: "code diff", tabindex: "0", role: "region", "aria-label": "What changes" });
  text.split("\n").forEach((line, index) => {
    const head = line.startsWith("@@") || (index < 2 && /^(---|\+\+\+) /.test(line));
    const kind = head ? "muted" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : "same";
    pre.append(el("span", { class: kind, text: line }), document.createTextNode("\n"));
  });
  return pre;
}
