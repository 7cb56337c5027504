// What every view shares: making elements, talking to Python, tabs, trees, tables. Text goes in as text, never as HTML.

function h(tag, props = {}, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) e.addEventListener(key.slice(2), value);
    else if (key === "class") e.className = value;
    else if (key === "dataset") Object.assign(e.dataset, value);
    else if (key === "value" || key === "checked" || key === "disabled" || key === "hidden") e[key] = value;
    else e.setAttribute(key, value === true ? "" : value);
  }
  e.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

let labkitSerial = 0;
const labkitPage = Math.random().toString(36).slice(2);
const uid = (name) => `labkit-${name}-${labkitPage}-${++labkitSerial}`;

const GONE = "The kernel was restarted or has ended: run this cell again.";

/** Makes anywidget's module from `draw(root, panel)`. `draw` may return a function that runs when the view goes. */
function mount(draw) {
  return {
    render({ model, el }) {
      const waiting = new Map(), listeners = new Map(), notice = h("p", { role: "alert", class: "lk-bad lk-gone" }, GONE);
      let gone = false;
      const tell = (what, data) => { for (const listener of listeners.get(what) ?? []) listener(data); };
      const heard = (message) => {
        if ("answer" in message) {
          const entry = waiting.get(message.answer);
          waiting.delete(message.answer);
          if (!entry) return;
          if ("error" in message) entry.reject(Object.assign(new Error(message.error), { kind: message.kind, cancelled: !!message.cancelled }));
          else entry.resolve(message.result);
        } else if ("tell" in message) tell(message.tell, message.data);
      };
      /** The kernel is gone, for good: this model never reaches another. Once for the whole panel, so what waits fails without words of its own. */
      const lost = () => {
        if (!gone) {
          gone = true;
          root.prepend(notice);
          tell("gone");
          for (const busy of root.querySelectorAll("[aria-busy=true]")) busy.setAttribute("aria-busy", "false");
        }
        for (const { promise, reject } of waiting.values()) {
          promise.catch(() => {});  // a view that does not wait for the answer has nothing to catch
          reject(new Error(""));
        }
        waiting.clear();
      };
      const send = (message) => {
        if (!gone) try { model.send(message); return; } catch { /* its comm is disposed of: the kernel was shut down, or died */ }
        lost();
        if (root.contains(document.activeElement)) notice.scrollIntoView({ block: "nearest" });  // who clicked may be far below it
      };
      model.on("msg:custom", heard);
      model.on("comm_live_update", lost);  // ipywidgets: a restart; after a model is made it only ever says that the kernel left
      const panel = {
        model,
        /** Ask Python; the promise has `.cancel()`. */
        ask(name, params = {}) {
          const id = uid("ask"), entry = {};
          entry.promise = new Promise((resolve, reject) => Object.assign(entry, { resolve, reject }));
          entry.promise.cancel = () => send({ cancel: id });
          waiting.set(id, entry);
          send({ ask: id, name, params });
          return entry.promise;
        },
        /** Hear what Python tells; and "gone", when there is no Python any more: what runs by itself ends then. */
        on(what, listener) { listeners.set(what, [...(listeners.get(what) ?? []), listener]); },
      };
      const root = h("section", { class: "labkit labkit-panel", "aria-label": model.get("label"), "data-lm-suppress-shortcuts": "true" });  // else keys are the notebook's
      el.append(root);
      const leave = draw(root, panel);
      return () => { model.off("msg:custom", heard); model.off("comm_live_update", lost); waiting.clear(); if (typeof leave === "function") leave(); };
    },
  };
}

/**
 * Tabs: arrow keys move, the panes stay in the page. `tabs([{name, pane, shown?, leaves?}])` -> {root, select(name), badge(name, text)}.
 * `leaves()` may return false: then its tab stays.
 */
function tabs(entries, label) {
  const list = h("div", { role: "tablist", class: "lk-tabs", "aria-label": label });
  const panes = h("div", { class: "lk-panes" });
  const made = entries.map(({ name, pane, shown, leaves }) => {
    const id = uid("tab");
    const count = h("span", { class: "lk-badge" });
    const tab = h("button", { type: "button", role: "tab", id, "aria-controls": `${id}-pane`, onclick: () => select(name) }, name, count);
    const box = h("div", { role: "tabpanel", id: `${id}-pane`, "aria-labelledby": id, tabindex: "0", class: "lk-pane" }, pane);
    list.append(tab);
    panes.append(box);
    return { name, tab, box, count, shown, leaves };
  });
  let current = "";
  function select(name) {
    if (current && current !== name && made.find((each) => each.name === current).leaves?.() === false) return;
    current = name;
    for (const each of made) {
      const on = each.name === name;
      each.tab.setAttribute("aria-selected", String(on));
      each.tab.tabIndex = on ? 0 : -1;
      each.box.hidden = !on;
      if (on && each.shown) each.shown();
    }
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = made.findIndex((each) => each.name === current);
    const next = step ? made[(at + step + made.length) % made.length] : { Home: made[0], End: made.at(-1) }[event.key];
    if (!next) return;
    event.preventDefault();
    event.stopPropagation();
    select(next.name);
    if (current === next.name) next.tab.focus();
  });
  select(entries[0].name);
  return {
    root: h("div", { class: "lk-tabbed" }, list, panes),
    select,
    current: () => current,
    badge(name, text) { made.find((each) => each.name === name).count.textContent = text ? ` ${text}` : ""; },
  };
}

/** Any JSON value as a tree that folds. */
function tree(value, name = null, open = 2) {
  const key = name === null ? null : h("span", { class: "lk-key" }, `${name}: `);
  if (value === null || typeof value !== "object")
    return h("div", { class: "lk-leaf" }, key, h("span", { class: `lk-${value === null ? "null" : typeof value}` }, JSON.stringify(value)));
  const entries = Array.isArray(value) ? value.map((each, at) => [at, each]) : Object.entries(value);
  const size = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  if (!entries.length) return h("div", { class: "lk-leaf" }, key, Array.isArray(value) ? "[]" : "{}");
  const node = h("details", { class: "lk-node" }, h("summary", {}, key, h("span", { class: "lk-quiet" }, size)));
  const fill = () => { if (node.open && node.children.length === 1) node.append(...entries.slice(0, 500).map(([k, v]) => tree(v, k, open - 1)),
    entries.length > 500 ? h("div", { class: "lk-quiet" }, `... ${entries.length - 500} more`) : ""); };
  node.addEventListener("toggle", fill);
  if (open > 0) { node.open = true; fill(); }
  return node;
}

/** Rows (objects of plain values) as a table. */
function table(rows, columns = null, caption = "") {
  const names = columns ?? [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cell = (value) => (value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value));
  return h("div", { class: "lk-scroll", tabindex: "0", role: "region", "aria-label": caption || "table" },
    h("table", { class: "lk-table" },
      caption ? h("caption", {}, caption) : null,
      h("thead", {}, h("tr", {}, names.map((name) => h("th", { scope: "col" }, name)))),
      h("tbody", {}, rows.slice(0, 500).map((row) => h("tr", {}, names.map((name) => h("td", {}, cell(row[name]))))))),
    rows.length > 500 ? h("div", { class: "lk-quiet" }, `... ${rows.length - 500} more rows`) : null);
}

/** Whether a value reads better as a table: a list of objects whose values are plain. */
function tabular(value) {
  return Array.isArray(value) && value.length > 0 && value.every((row) => row && typeof row === "object" && !Array.isArray(row)
    && Object.values(row).every((v) => v === null || typeof v !== "object"));
}

const code = (text) => h("pre", { class: "lk-code", tabindex: "0" }, text);
const button = (text, onclick, props = {}) => h("button", { type: "button", class: "lk-button", onclick, ...props }, text);
/** Whether a button does nothing for now. Unlike `disabled` this leaves the keyboard's focus where it is. */
const idle = (button, on) => button.setAttribute("aria-disabled", String(on));
const unlessIdle = (act) => (event) => { if (event.currentTarget.getAttribute("aria-disabled") !== "true") act(event); };

/** A control with its label before it. */
function labelled(text, control) {
  control.id ||= uid("control");
  return h("span", { class: "lk-row" }, h("label", { for: control.id }, text), control);
}
const quiet = (text) => h("span", { class: "lk-quiet" }, text);

const size_text = (bytes) => (bytes < 1000 ? `${bytes} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);
const time_text = (s) => (s === null || s === undefined ? "" : s < 1e-3 ? `${Math.round(s * 1e6)} µs` : s < 1 ? `${(s * 1e3).toFixed(1)} ms` : `${s.toFixed(2)} s`);
