// The calls of this panel: choose one at the left, see it at the right, run it again, edit it, make code of it.

function insp_history(panel, app) {
  const list = h("div", { class: "insp-list", role: "group", "aria-label": "calls, the latest first" });
  const answer = insp_answer(panel, app), given = h("div", {});
  let chosen = null;
  function draw() {
    const lines = [...app.history.values()].sort((a, b) => b.id - a.id);
    insp_refill(list, ...lines.map((line) => h("button", { type: "button", class: "insp-item", dataset: { key: line.id }, "aria-current": line.id === chosen ? "true" : null, onclick: () => choose(line.id) },
      h("span", {}, line.name), " ", insp_state(line.state), " ", quiet(`${line.at} ${time_text(line.seconds)}`), h("div", { class: "lk-quiet insp-one-line" }, line.said))),
      lines.length ? "" : quiet("No calls yet."));
  }
  async function choose(id) {
    chosen = id;
    draw();
    try { show(await app.load(id)); } catch (error) { app.fail(error); }
  }
  function show(entry) {
    given.replaceChildren(h("h4", {}, `${entry.kind} ${entry.name}`), h("div", { class: "lk-scroll", tabindex: "0", role: "region", "aria-label": "arguments" }, tree(entry.arguments, "arguments", 2)));
    answer.show(entry);
  }
  draw();
  return {
    root: h("div", { class: "lk-columns" }, list, h("div", { class: "insp-page" }, given, answer.root)),
    draw,
    heard(entry) { draw(); if (entry.id === chosen) show(entry); },
    forget() { chosen = null; given.replaceChildren(); answer.clear(); draw(); },
    shown() { if (chosen === null && app.history.size) choose(Math.max(...app.history.keys())); },
  };
}
