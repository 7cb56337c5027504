// The wire timeline: a time axis to zoom, filters, a list of which only the visible rows are in the page, and the frame that is open.
// `timelineView(panel, {height})` -> {root, dispose}; the Python half is WireAnswers (labkit/ui/timeline.py).

const TL_ROW = 24, TL_KINDS = ["request", "response", "error", "notification", "http", "noise"];
const TL_COLOURS = { request: "--lk-accent", response: "--lk-good", error: "--lk-bad", notification: "--lk-note", http: "--lk-quiet", noise: "--lk-warn" };

function tl_frame([n, at, sent, kind, id, method, label, size, latency, request, status]) {
  return { n, at, sent, kind, id, method, label, size, latency, request, status };
}

/** A list whose rows exist only where they can be seen. `paint(row, item)` fills a row; keys move, Enter and click open. */
function tl_list({ label, height, paint, open, moved = () => {}, scrolled = () => {}, resized = () => {} }) {
  const id = uid("rows");
  const space = h("div", { class: "tl-space", role: "presentation" });
  const root = h("div", { class: "tl-list", role: "listbox", tabindex: "0", "aria-label": label, "data-lm-suppress-shortcuts": "true" }, space);  // else keys are the notebook's
  root.style.height = `${height}px`;
  const pool = new Map();
  let items = [], active = -1, drawn = "";
  const draw = () => {
    const first = Math.max(0, Math.floor(root.scrollTop / TL_ROW) - 6), last = Math.min(items.length, Math.ceil((root.scrollTop + (root.clientHeight || height)) / TL_ROW) + 6);
    for (const [at, row] of pool) if (at < first || at >= last) { row.remove(); pool.delete(at); }
    for (let at = first; at < last; at++) {
      let row = pool.get(at);
      if (!row) {
        row = h("div", { class: "tl-row", role: "option", id: `${id}-${at}`, onclick: () => { move(at); open(items[at]); } });
        row.style.top = `${at * TL_ROW}px`;
        // In order, whatever was drawn before: who does not see where a row stands meets them as they come in the document.
        const next = Math.min(...[...pool.keys()].filter((other) => other > at));
        space.insertBefore(row, pool.get(next) ?? null);
        pool.set(at, row);
      }
      if (row.item !== items[at] || row.stamp !== drawn) { row.item = items[at]; row.stamp = drawn; paint(row, items[at]); }
      row.setAttribute("aria-selected", String(at === active));
      row.setAttribute("aria-setsize", items.length);
      row.setAttribute("aria-posinset", at + 1);
    }
    if (active >= first && active < last) root.setAttribute("aria-activedescendant", `${id}-${active}`);
    else root.removeAttribute("aria-activedescendant");
  };
  function move(to) {
    if (!items.length) return;
    active = Math.max(0, Math.min(items.length - 1, to));
    const top = active * TL_ROW;
    if (top < root.scrollTop) root.scrollTop = top;
    else if (top + TL_ROW > root.scrollTop + root.clientHeight) root.scrollTop = top + TL_ROW - root.clientHeight;
    draw();
    moved(items[active]);
  }
  root.addEventListener("scroll", () => { draw(); scrolled(root.scrollTop >= root.scrollHeight - root.clientHeight - TL_ROW); });
  root.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(root.clientHeight / TL_ROW) - 1);
    const to = { ArrowDown: active + 1, ArrowUp: active < 0 ? items.length - 1 : active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: items.length - 1 }[event.key];
    if (to !== undefined) move(to);
    else if ((event.key === "Enter" || event.key === " ") && active >= 0) open(items[active]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  const sizes = new ResizeObserver(() => { draw(); resized(); });  // also when it was hidden, as in a tab, and is shown
  sizes.observe(root);
  return {
    root,
    /** Show these items; `stamp` changes when rows have to be painted anew. The active item stays, if it is among them. */
    show(next, stamp = "") {
      const kept = items[active];
      items = next;
      drawn = stamp;
      active = kept ? items.indexOf(kept) : -1;
      space.style.height = `${items.length * TL_ROW}px`;
      draw();
    },
    end() { root.scrollTop = root.scrollHeight; draw(); },
    shift(rows) { root.scrollTop += rows * TL_ROW; },
    select(item) { const at = items.indexOf(item); if (at >= 0) move(at); return at >= 0; },
    dispose() { sizes.disconnect(); },
  };
}

/** Steps of 1, 2 or 5 that leave about `many` of them in `span`. */
function tl_step(span, many) {
  const rough = span / many, power = 10 ** Math.floor(Math.log10(rough)), part = rough / power;
  return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

/** The time axis: two lanes, a mark for each frame, a bar from each request to its answer. `changed(window)` after zooming. */
function tl_axis(changed) {
  const canvas = h("canvas", { class: "tl-axis", tabindex: "0", role: "img", "data-lm-suppress-shortcuts": "true" });
  let frames = [], low = 0, high = 1, zoom = null, drag = null, queued = false, wide = 0;
  const range = () => zoom ?? [low, high];
  const HEIGHT = 76, LEFT = 52;
  function paint() {
    queued = false;
    // A change of theme takes the page away for a moment, and puts it back without a change of size: hence the last width.
    const width = wide = canvas.clientWidth || wide, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    canvas.width = width * ratio;
    canvas.height = HEIGHT * ratio;
    const css = getComputedStyle(canvas), tint = (name) => css.getPropertyValue(name).trim(), pen = canvas.getContext("2d");
    const colours = Object.fromEntries(Object.entries(TL_COLOURS).map(([kind, name]) => [kind, tint(name)]));
    pen.scale(ratio, ratio);
    pen.font = `11px ${css.fontFamily}`;
    const [from, to] = range(), x = (t) => LEFT + ((t - from) / (to - from)) * (width - LEFT - 6);
    pen.fillStyle = pen.strokeStyle = tint("--lk-quiet");
    const step = tl_step(to - from, Math.max(2, width / 110)), digits = Math.max(0, Math.min(6, Math.ceil(-Math.log10(step))));
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      pen.globalAlpha = 0.35;
      pen.fillRect(x(t), 16, 1, HEIGHT - 18);
      pen.globalAlpha = 1;
      if (x(t) < width - 40) pen.fillText(`${t.toFixed(digits)} s`, x(t) + 3, 12);
    }
    const lanes = { true: 24, false: 52 };
    pen.fillText("client", 4, lanes.true + 12);
    pen.fillText("server", 4, lanes.false + 12);
    pen.save();
    pen.beginPath();
    pen.rect(LEFT - 2, 16, width, HEIGHT);
    pen.clip();
    for (const frame of frames) {
      const y = lanes[frame.sent];
      if (frame.at > to || frame.at + (frame.latency ?? 0) < from) continue;
      pen.fillStyle = colours[frame.kind];
      if (frame.kind === "request" && frame.latency) {
        pen.globalAlpha = 0.3;
        pen.fillRect(x(frame.at), y + 5, Math.max(1, x(frame.at + frame.latency) - x(frame.at)), 8);
        pen.globalAlpha = 1;
      }
      pen.fillRect(Math.round(x(frame.at)) - 1, y, 2, 18);
    }
    if (drag && drag.to !== drag.from) {
      pen.globalAlpha = 0.25;
      pen.fillStyle = tint("--lk-accent");
      pen.fillRect(Math.min(drag.from, drag.to), 16, Math.abs(drag.to - drag.from), HEIGHT);
    }
    pen.restore();
  }
  const draw = () => { if (!queued) { queued = true; requestAnimationFrame(paint); } };
  function set(from, to, tell = true) {
    const least = 2e-6;
    const span = Math.max(least, Math.min(to - from, high - low));
    if (span >= (high - low) * 0.999) zoom = null;
    else { const start = Math.max(low, Math.min(from, high - span)); zoom = [start, start + span]; }
    draw();
    if (tell) changed();
  }
  /** Zoom by `factor` (below 1: closer) about `part` of the width. */
  function scale(factor, part = 0.5) {
    const [from, to] = range(), middle = from + (to - from) * part;
    set(middle - (middle - from) * factor, middle + (to - middle) * factor);
  }
  const pan = (part) => { const [from, to] = range(); set(from + (to - from) * part, to + (to - from) * part); };
  const part_at = (px) => Math.max(0, Math.min(1, (px - LEFT) / (canvas.clientWidth - LEFT - 6)));
  canvas.addEventListener("wheel", (event) => {
    if (document.activeElement !== canvas && !event.ctrlKey && !event.metaKey) return;  // the page scrolls past an axis that nobody chose
    event.preventDefault();
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) pan(Math.sign(event.deltaX || event.deltaY) * 0.15);
    else scale(event.deltaY < 0 ? 0.7 : 1 / 0.7, part_at(event.offsetX));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => { drag = { from: event.offsetX, to: event.offsetX }; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => { if (drag) { drag.to = event.offsetX; draw(); } });
  canvas.addEventListener("pointerup", () => {
    const [from, to] = range(), done = drag;
    drag = null;
    if (done && Math.abs(done.to - done.from) > 4) {
      const [a, b] = [part_at(done.from), part_at(done.to)].sort((p, q) => p - q);
      set(from + (to - from) * a, from + (to - from) * b);
    } else draw();
  });
  canvas.addEventListener("pointercancel", () => { drag = null; draw(); });
  canvas.addEventListener("dblclick", () => set(low, high));
  canvas.addEventListener("keydown", (event) => {
    const act = { "+": () => scale(0.5), "=": () => scale(0.5), "-": () => scale(2), "0": () => set(low, high), ArrowLeft: () => pan(-0.25), ArrowRight: () => pan(0.25),
      Home: () => { const [from, to] = range(); set(low, low + to - from); }, End: () => { const [from, to] = range(); set(high - (to - from), high); } }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    act();
  });
  const sizes = new ResizeObserver(draw), themes = new MutationObserver(draw);
  sizes.observe(canvas);
  themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  return {
    root: canvas, scale, pan, range,
    all: () => set(low, high),
    zoomed: () => zoom !== null,
    /** The frames to draw, and from when to when the tape goes. */
    show(next, from, to, slide) {
      frames = next;
      low = from;
      high = Math.max(to, from + 1e-6);
      if (zoom && slide) { const span = zoom[1] - zoom[0]; zoom = [Math.max(low, high - span), high]; }
      draw();
    },
    name(text) { canvas.setAttribute("aria-label", text); },
    dispose() { sizes.disconnect(); themes.disconnect(); },
  };
}

const tl_time = (s) => `${s.toFixed(s < 10 ? 4 : 2)} s`;
const tl_many = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;

function tl_copy(text, say) {
  const done = () => say("Copied.");
  const byHand = () => {
    const box = h("textarea", { value: text });
    document.body.append(box);
    box.select();
    const worked = document.execCommand("copy");
    box.remove();
    if (worked) done(); else say("The browser does not let this page copy: select the text and copy it by hand.");
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
}

/** The frame that is open, and the other half of its pair. `go(n)` opens another. */
function tl_details(go) {
  const root = h("div", { class: "tl-details", role: "region", "aria-label": "Open frame", tabindex: "0" });
  const said = h("span", { role: "status", class: "lk-quiet" });
  let form = "pretty", shown = null;
  const body = (details) => {
    const text = form === "raw" ? details.text : details.pretty;
    if (!details.text) return h("p", { class: "lk-quiet" }, "No text: nothing was in the body.");
    return [code(text), details.cut ? h("p", { class: "lk-quiet" }, `${details.cut.toLocaleString("en")} more characters: frame.text`) : null];
  };
  const half = (details, latency) => {
    const frame = tl_frame(details.row), headers = Object.entries(details.headers);
    const facts = [frame.sent ? "→ sent" : "← received", frame.kind, frame.id === null ? "" : `id ${frame.id}`, `at ${tl_time(frame.at)}`, size_text(frame.size), details.transport,
      frame.status === null ? "" : `HTTP ${frame.status}`, latency, details.framed ? "" : "no JSON on this wire: the equivalent frame"];
    return h("section", { class: "tl-half", dataset: { kind: frame.kind }, "aria-label": `Frame ${frame.n}` },
      h("div", { class: "lk-row" }, h("h4", {}, `Frame ${frame.n}: ${frame.label}`), button("Copy", () => tl_copy(form === "raw" ? details.text : details.pretty, (text) => (said.textContent = text)), { "aria-label": `Copy frame ${frame.n}` })),
      h("p", { class: "lk-quiet" }, facts.filter(Boolean).join(" · ")),
      details.note ? h("p", {}, details.note) : null,
      headers.length ? h("details", {}, h("summary", {}, tl_many(headers.length, "header")), code(headers.map(([name, value]) => `${name}: ${value}`).join("\n"))) : null,
      body(details));
  };
  function draw() {
    const { frame, other } = shown, it = tl_frame(frame.row);
    const took = it.latency === null ? "" : `answered after ${time_text(it.latency)}`;
    const forms = h("div", { role: "group", "aria-label": "Show as", class: "lk-row" }, ["pretty", "raw"].map((name) =>
      button(name === "raw" ? "Raw" : "Pretty", () => { form = name; draw(); root.querySelector(`[data-form=${name}]`).focus(); }, { "aria-pressed": String(form === name), dataset: { form: name } })));
    const pair = other ? button(`${it.request === null ? "Answer" : "Request"}: frame ${other.row[0]}`, () => go(other.row[0]))
      : quiet(it.kind === "request" ? "No answer on the tape." : it.kind === "response" || it.kind === "error" ? "Its request is not on the tape." : "");
    root.replaceChildren(h("div", { class: "lk-row" }, forms, pair, said), half(frame, took), other ? half(other, "") : "");
  }
  const empty = () => { shown = null; root.replaceChildren(quiet("Choose a frame: click it, or Enter on it.")); };
  empty();
  return { root, empty, wait(n) { shown = null; root.replaceChildren(quiet(`Frame ${n}: waiting for the kernel …`)); }, show(next) { shown = next; said.textContent = ""; draw(); root.scrollTop = 0; }, fail(text) { shown = null; root.replaceChildren(h("p", { class: "lk-bad", role: "alert" }, text)); } };
}

function timelineView(panel, { height = 300 } = {}) {
  const BEAT = 100, KEPT = 40, KEPT_CHARS = 4e6;
  let frames = [], byNumber = new Map(), shown = [], head = {}, tape = 0, last = 0, stamp = 0;
  let asking = false, again = false, askedAt = 0, timer = 0, gone = false, found = null, follow = true, open_n = null, older = 0;
  const kept = new Map();

  const caption = h("div", { class: "tl-caption" }, quiet("loading …"));
  const status = h("div", { role: "status", class: "tl-status lk-quiet" });
  const pick = (label, options) => h("select", { "aria-label": label, onchange: () => filter() }, options.map(([value, text]) => h("option", { value }, text)));
  const text = h("input", { type: "search", placeholder: "text in frames", "aria-label": "Text", oninput: () => search() });
  const method = pick("Method", [["", "any method"]]), way = pick("Direction", [["", "both directions"], ["sent", "→ sent"], ["received", "← received"]]);
  const kind = pick("Kind", [["", "any kind"], ...TL_KINDS.map((name) => [name, name])]);
  const id = h("input", { type: "search", placeholder: "id", "aria-label": "Id", class: "tl-id", oninput: () => filter() });
  const reset = button("Clear filters", () => { for (const each of [text, method, way, kind, id]) each.value = ""; found = null; axis.all(); filter(); });
  const following = button("Follow", () => set_follow(!follow), { "aria-pressed": "true", title: "Keep the newest frame in view" });

  const axis = tl_axis(() => filter());
  const zooms = h("div", { class: "lk-row", role: "group", "aria-label": "Zoom" }, button("Zoom in", () => axis.scale(0.5)), button("Zoom out", () => axis.scale(2)),
    button("Earlier", () => axis.pan(-0.5)), button("Later", () => axis.pan(0.5)), button("Show all", () => axis.all()), following);
  const details = tl_details((n) => { const frame = byNumber.get(n); if (frame) { set_follow(false); list.select(frame); } show_frame(n); });
  const list = tl_list({
    label: "Frames", height, paint,
    open: (frame) => { set_follow(false); show_frame(frame.n); },
    moved: (frame) => { if (frame !== shown.at(-1)) set_follow(false); },
    resized: () => { if (follow) list.end(); },
    scrolled: (atEnd) => { if (follow && !atEnd) set_follow(false); },
  });
  details.root.style.height = `${height}px`;
  const root = h("div", { class: "tl" }, caption, h("div", { class: "lk-row tl-filters", role: "search", "aria-label": "Filter frames" }, text, method, way, kind, id, reset),
    axis.root, zooms, status, h("div", { class: "tl-both" }, list.root, details.root));

  function paint(row, frame) {
    const [from, to] = axis.range(), bar = h("span", { class: "tl-bar", "aria-hidden": "true" }), mark = h("span");
    const left = Math.max(0, Math.min(98, (100 * (frame.at - from)) / (to - from)));
    mark.style.left = `${left}%`;
    mark.style.width = `${Math.max(2, Math.min(100 - left, frame.kind === "request" && frame.latency ? (100 * frame.latency) / (to - from) : 2))}%`;
    bar.append(mark);
    row.dataset.kind = frame.kind;
    row.dataset.sent = frame.sent;
    row.replaceChildren(h("span", { class: "tl-n" }, String(frame.n)), " ", h("span", { class: "tl-at" }, tl_time(frame.at)), " ", bar, " ",
      h("span", { class: "tl-way" }, frame.sent ? "→ sent" : "← received"), " ", h("span", { class: "tl-label" }, frame.label), " ",
      h("span", { class: "tl-kind" }, frame.kind), " ", h("span", { class: "tl-of" }, frame.id === null ? "" : `#${frame.id}`), " ",
      h("span", { class: "tl-size" }, size_text(frame.size)), " ", h("span", { class: "tl-took" }, time_text(frame.latency)));
  }

  // what Python has -------------------------------------------------------------------------------------------------
  function soon() {
    if (gone) return;
    if (asking) { again = true; return; }
    clearTimeout(timer);
    timer = setTimeout(fetch_rows, Math.max(0, askedAt + BEAT - performance.now()));
  }
  async function fetch_rows() {
    asking = true;
    again = false;
    askedAt = performance.now();
    const wanted = text.value.trim();
    try {
      const answer = await panel.ask("wire", { tape, after: last, text: wanted });
      if (!gone) take(answer, wanted);
    } catch (error) {
      if (!gone) caption.replaceChildren(h("span", { class: "lk-bad", role: "alert" }, error.message));
    }
    asking = false;
    if (again) soon();
  }
  function take(answer, wanted) {
    if (answer.tape !== tape) {
      frames = []; byNumber = new Map(); kept.clear(); last = 0; found = null; open_n = null; older = 0;
      tape = answer.tape;
      details.empty();
      if (wanted) search();
    }
    const leaving = follow ? 0 : shown.filter((frame) => frame.n < answer.first).length;
    for (const row of answer.rows) {
      const frame = tl_frame(row);
      if (frame.n <= last) continue;
      frames.push(frame);
      byNumber.set(frame.n, frame);
      last = frame.n;
      const request = frame.request === null ? null : byNumber.get(frame.request);
      if (request && request.latency === null) { request.latency = frame.latency; kept.delete(request.n); if (request.n === open_n) show_frame(open_n); }
    }
    const kept_from = frames.findIndex((frame) => frame.n >= answer.first), gone_by = kept_from < 0 ? frames.length : kept_from;
    for (const frame of frames.slice(0, gone_by)) { byNumber.delete(frame.n); kept.delete(frame.n); }
    frames = frames.slice(gone_by);
    if (found && wanted && answer.tape === tape) for (const n of answer.found ?? []) found.add(n);
    head = { ...answer, rows: null, found: null, unframed: answer.unframed || (head.tape === answer.tape && head.unframed) };
    if (answer.older) { older = answer.older; fetch_older().catch((error) => { if (error.message) throw error; }); }  // no words: no kernel, and the panel has said so
    name_methods();
    say_caption();
    filter(false, leaving);
  }
  async function fetch_older() {
    const of = tape;
    const answer = await panel.ask("wire_older", { tape, before: frames[0]?.n ?? last + 1 });
    if (gone || of !== tape) return;
    const more = answer.rows.map(tl_frame).filter((frame) => frame.n >= head.first), had = shown.length;
    for (const frame of more) byNumber.set(frame.n, frame);
    frames = more.concat(frames);
    older = 0;
    head.unframed ||= answer.unframed;
    name_methods();
    say_caption();
    filter(false);
    if (!follow) list.shift(shown.length - had);
  }
  function name_methods() {
    const names = [...new Set(frames.map((frame) => frame.method))].filter(Boolean).sort(), old = [...method.options].slice(1).map((option) => option.value);
    if (names.length === old.length && names.every((name, at) => name === old[at])) return;
    const chosen = method.value;
    if (chosen && !names.includes(chosen)) names.push(chosen);
    method.replaceChildren(h("option", { value: "" }, "any method"), ...names.map((name) => h("option", { value: name }, name)));
    method.value = chosen;
  }
  function say_caption() {
    const parts = [head.transport, head.era ? `era ${head.era}` : "", tl_many(frames.length + older, "frame"), head.dropped ? `${tl_many(head.dropped, "older frame")} dropped` : "",
      head.closed ? "closed" : "", head.unframed ? "no JSON on this wire: equivalent frames" : ""];
    caption.replaceChildren(h("b", {}, head.title || "no connection"), quiet(` · ${parts.filter(Boolean).join(" · ")}`));
  }

  // what is shown ---------------------------------------------------------------------------------------------------
  function filter(by_person = true, shift = 0) {
    const wanted = text.value.trim().toLowerCase(), asked = id.value.trim(), [from, to] = axis.range(), zoomed = axis.zoomed();
    const fits = frames.filter((frame) => (!method.value || frame.method === method.value) && (!way.value || frame.sent === (way.value === "sent")) && (!kind.value || frame.kind === kind.value)
      && (!asked || (frame.id !== null && (frame.id === asked || frame.id === JSON.stringify(asked)))) && (!wanted || found?.has(frame.n) || frame.label.toLowerCase().includes(wanted)));
    axis.show(fits, frames[0]?.at ?? 0, frames.reduce((most, frame) => Math.max(most, frame.at), 0), follow && !by_person);
    const [start, end] = axis.range();
    shown = zoomed ? fits.filter((frame) => frame.at >= start && frame.at <= end) : fits;
    list.show(shown, `${++stamp}`);
    if (follow) list.end(); else if (shift) list.shift(-shift);
    const window_text = `${tl_time(start)} to ${tl_time(end)}`;
    axis.name(`Frames over time, ${window_text}. Plus and minus zoom, arrows move, 0 shows all.`);
    const line = older ? `The newest ${tl_many(frames.length, "frame")}, loading ${older.toLocaleString("en")} more` : shown.length === frames.length ? `All ${tl_many(frames.length, "frame")}, ${window_text}` : `${shown.length.toLocaleString("en")} of ${tl_many(frames.length, "frame")}, ${window_text}`;
    if (by_person || !status.textContent || status.textContent.includes("loading")) status.textContent = line; else quiet_count(line);
  }
  let counting = 0;
  function quiet_count(line) {  // a count that runs ten times a second is not to be read aloud
    clearTimeout(counting);
    counting = setTimeout(() => { if (!gone) status.textContent = line; }, 600);
  }
  let searching = 0;
  function search() {
    clearTimeout(searching);
    found = null;
    if (!text.value.trim()) return filter();
    searching = setTimeout(async () => {
      const wanted = text.value.trim();
      filter();
      try {
        const answer = await panel.ask("wire_search", { text: wanted });
        if (gone || wanted !== text.value.trim() || answer.tape !== tape) return;
        found = new Set(answer.found);
      } catch { return; }  // no kernel: the labels have been searched
      filter();
    }, 150);
  }
  function set_follow(on) {
    if (follow === on) return;
    follow = on;
    following.setAttribute("aria-pressed", String(on));
    if (on) filter(false);
  }

  // one frame -------------------------------------------------------------------------------------------------------
  async function show_frame(n) {
    open_n = n;
    let got = kept.get(n);
    if (!got) {
      const of = tape, late = setTimeout(() => { if (open_n === n && !gone) details.wait(n); }, 400);
      try { got = await panel.ask("wire_frame", { n }); } catch (error) { if (open_n === n && !gone) details.fail(error.message); return; } finally { clearTimeout(late); }
      if (gone || of !== tape) return;
      kept.set(n, got);
      let chars = [...kept.values()].reduce((sum, { frame, other }) => sum + frame.text.length + (other?.text.length ?? 0), 0);
      for (const [old, { frame, other }] of kept) if (old !== n && (kept.size > KEPT || chars > KEPT_CHARS)) { kept.delete(old); chars -= frame.text.length + (other?.text.length ?? 0); }
    }
    if (open_n === n) details.show(got);
  }

  panel.on("wire", soon);
  fetch_rows();
  return {
    root,
    dispose() { gone = true; for (const each of [timer, counting, searching]) clearTimeout(each); list.dispose(); axis.dispose(); },
  };
}
