// A long list of which only what is seen is in the document. A listbox: one stop for Tab, arrows move, the chosen row is
// told to screen readers by its position and its text.

import { el, inNextFrame } from "./dom.js";

const ROW_HEIGHT = 30;
const BEYOND = 8;

export class List {
  /**
   * `key` names an item, `render` makes the cells of its row (their text is what a screen reader says), `choose` is told
   * the item that is chosen, `end` is told that the end is near.
   */
  constructor(element, { label, row, key, render, choose, end = () => {} }) {
    Object.assign(this, { element, row, key, render, choose, end });
    this.items = [];
    this.rows = new Map();
    this.chosen = undefined;
    this.space = el("div", { class: "list-space", role: "presentation" });
    element.setAttribute("role", "listbox");
    element.setAttribute("aria-label", label);
    element.tabIndex = 0;
    element.append(this.space);
    this.draw = inNextFrame(() => this.drawNow());
    element.addEventListener("scroll", this.draw, { passive: true });
    element.addEventListener("keydown", (event) => this.keyed(event));
    element.addEventListener("click", (event) => this.clicked(event));
    element.addEventListener("focus", () => {
      if (this.chosen === undefined && this.items.length > 0) this.go(0);
    });
    new ResizeObserver(this.draw).observe(element);
  }

  /** Shows these items. What was chosen stays chosen where it is still there; an item of the same name is the same. */
  set(items) {
    this.items = items;
    this.draw();
  }

  /** New items before the others, at most `most` in all. Who reads further down goes on reading the same rows. */
  prepend(items, most) {
    const reading = this.element.scrollTop > ROW_HEIGHT;
    this.items = items.concat(this.items).slice(0, most);
    if (reading) {
      this.space.style.height = `${this.items.length * ROW_HEIGHT}px`;
      this.element.scrollTop += items.length * ROW_HEIGHT;
    }
    this.draw();
  }

  /** Older items behind the others. */
  append(items) {
    this.items = this.items.concat(items);
    this.draw();
  }

  /** Chooses the item with this name, where it is there. */
  chooseKey(key) {
    const index = this.items.findIndex((item) => this.key(item) === key);
    if (index >= 0) this.go(index);
    return index >= 0;
  }

  index() {
    return this.chosen === undefined ? -1 : this.items.findIndex((item) => this.key(item) === this.chosen);
  }

  go(index) {
    const item = this.items[index];
    if (!item) return;
    this.chosen = this.key(item);
    const top = index * ROW_HEIGHT;
    const { scrollTop, clientHeight } = this.element;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + ROW_HEIGHT > scrollTop + clientHeight) this.element.scrollTop = top + ROW_HEIGHT - clientHeight;
    this.drawNow();
    this.choose(item);
  }

  keyed(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const index = this.index();
    const page = Math.max(1, Math.floor(this.element.clientHeight / ROW_HEIGHT) - 1);
    const last = this.items.length - 1;
    const to = {
      ArrowDown: index + 1,
      ArrowUp: index - 1,
      PageDown: index + page,
      PageUp: index - page,
      Home: 0,
      End: last,
      Enter: index,
      " ": index,
    }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.go(Math.min(Math.max(to, 0), last));
  }

  clicked(event) {
    const row = event.target.closest("[role=option]");
    if (row) this.go(this.items.findIndex((item) => this.rowId(item) === row.id));
  }

  rowId(item) {
    return `${this.element.id}-${this.key(item)}`;
  }

  drawNow() {
    const height = this.items.length * ROW_HEIGHT;
    this.space.style.height = `${height}px`;
    const first = Math.max(0, Math.floor(this.element.scrollTop / ROW_HEIGHT) - BEYOND);
    const seen = Math.ceil(this.element.clientHeight / ROW_HEIGHT) + 2 * BEYOND;
    const last = Math.min(this.items.length, first + seen);
    const wanted = new Set();
    for (let index = first; index < last; index += 1) {
      const item = this.items[index];
      const id = this.rowId(item);
      wanted.add(id);
      let row = this.rows.get(id);
      if (!row) {
        row = el("div", { id, class: `row ${this.row}`, role: "option" }, this.render(item));
        this.rows.set(id, row);
        this.space.append(row);
      }
      row.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
      row.setAttribute("aria-posinset", index + 1);
      row.setAttribute("aria-setsize", this.items.length);
      row.setAttribute("aria-selected", this.key(item) === this.chosen);
    }
    for (const [id, row] of this.rows) {
      if (wanted.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    const active = this.chosen === undefined ? undefined : `${this.element.id}-${this.chosen}`;
    if (active && this.rows.has(active)) this.element.setAttribute("aria-activedescendant", active);
    else this.element.removeAttribute("aria-activedescendant");
    if (last === this.items.length && this.items.length > 0) this.end();
  }
}
