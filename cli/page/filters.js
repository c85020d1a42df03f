// The form that finds: by text, source, outcome, reason and time.

import { afterPause, el, fill } from "./dom.js";

const TIME_HINT = "10m, 2h, 1d ago, or 2026-11-25T03:00:00Z";

/** Builds the fields and tells `changed` what is looked for, a moment after somebody has changed it. */
export class Filters {
  constructor(form, { name, outcomes = [], reasons = [], fields }, changed) {
    this.form = form;
    this.changed = afterPause(250, () => changed(this.values()));
    const all = {
      text: () => this.input("text", "search", "Text", "id, message, body", 18),
      source: () => this.select("source", "Source", []),
      outcome: () => this.select("outcome", "Outcome", outcomes),
      reason: () => this.select("reason", "Reason", reasons),
      since: () => this.input("since", "text", "Since", "10m ago", 9),
      until: () => this.input("until", "text", "Until", "now", 9),
    };
    this.prefix = name;
    fill(
      form,
      fields.map((field) => all[field]()),
      el("button", { type: "reset", class: "small" }, "Clear"),
    );
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => this.changed());
    form.addEventListener("reset", () => setTimeout(() => changed(this.values())));
  }

  input(field, type, label, placeholder, size) {
    const id = `${this.form.closest("section").id}-${field}`;
    const hint = type === "text" ? TIME_HINT : undefined;
    const input = el("input", { id, name: field, type, placeholder, size, title: hint, autocomplete: "off", spellcheck: "false", maxlength: 200 });
    return el("label", { for: id }, el("span", {}, label), input);
  }

  select(field, label, options) {
    const id = `${this.form.closest("section").id}-${field}`;
    const select = el("select", { id, name: field }, el("option", { value: "" }, "all"), options.map((option) => el("option", { value: option }, option)));
    return el("label", { for: id }, el("span", {}, label), select);
  }

  /** The sources there are. */
  sources(ids) {
    const select = this.form.elements.source;
    const chosen = select.value;
    fill(select, el("option", { value: "" }, "all"), ids.map((id) => el("option", { value: id }, id)));
    select.value = ids.includes(chosen) ? chosen : "";
  }

  /** Looks for this instead. */
  set(values) {
    for (const field of this.form.elements) if (field.name) field.value = values[field.name] ?? "";
    this.changed();
  }

  values() {
    return Object.fromEntries([...new FormData(this.form)].map(([field, value]) => [field, value.trim()]));
  }
}
