// Elements from values. Text from outside only ever becomes a text node; there is no way here to make markup of it.

// Control characters, and characters nobody sees or that reorder what stands around them (bidirectional overrides,
// isolates, marks, zero widths). Line ends and tabs are text.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;
const EACH_HIDDEN = new RegExp(HIDDEN.source, "gu");

/** A new element. `properties`: class, text, attributes by their name, and `on` with listeners by event. */
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") element.className = value;
    else if (key === "text") element.append(...visible(String(value)));
    else if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else element.setAttribute(key, value === true ? "" : value);
  }
  add(element, children);
  return element;
}

/** Adds children: elements, texts, lists of them; nothing for undefined, null and false. */
export function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    if (child instanceof Node) element.append(child);
    else element.append(...visible(String(child)));
  }
}

/** Takes everything out and puts these in. */
export function fill(element, ...children) {
  element.replaceChildren();
  add(element, children);
}

/** Text as nodes, in which characters nobody would see are shown by their code point. */
export function visible(text) {
  if (!HIDDEN.test(text)) return [document.createTextNode(text)];
  const nodes = [];
  let from = 0;
  for (const found of text.matchAll(EACH_HIDDEN)) {
    if (found.index > from) nodes.push(document.createTextNode(text.slice(from, found.index)));
    const name = "U+" + found[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    const mark = document.createElement("span");
    mark.className = "code-point";
    mark.textContent = name;
    nodes.push(mark);
    from = found.index + found[0].length;
  }
  if (from < text.length) nodes.push(document.createTextNode(text.slice(from)));
  return nodes;
}

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** Runs `work` once in the next frame, however often it is asked. */
export function inNextFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      work();
    });
  };
}

/** Runs `work` when nobody has asked for it during `milliseconds`. */
export function afterPause(milliseconds, work) {
  let timer;
  return (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), milliseconds);
  };
}

let announced = 0;
let waiting;

/** Tells a screen reader, politely: the last of what is said within three seconds. */
export function announce(text) {
  const say = () => {
    announced = Date.now();
    byId("announcer").textContent = text;
  };
  clearTimeout(waiting);
  waiting = setTimeout(say, Math.max(0, announced + 3000 - Date.now()));
}
