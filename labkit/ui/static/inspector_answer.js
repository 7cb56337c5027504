// An answer: content blocks, structured data as table or tree, the JSON of it; and what can be done with the call.

const INSP_WORDS = { ok: "✓ ok", "tool error": "✗ tool error", error: "✗ error", cancelled: "cancelled", running: "running" };
const INSP_TINTS = { ok: "lk-good", "tool error": "lk-bad", error: "lk-bad", cancelled: "lk-warn", running: "lk-note" };

const insp_state = (state) => h("span", { class: INSP_TINTS[state] }, INSP_WORDS[state] ?? state);

function insp_block(block) {
  const head = [block.role ? h("b", {}, block.role) : null, block.embedded ? quiet("embedded resource") : null,
    block.uri && block.type !== "link" ? h("code", {}, block.uri) : null, block.mime ? quiet(block.mime) : null,
    block.size !== undefined ? quiet(size_text(block.size)) : null].filter(Boolean);
  return h("div", { class: "insp-block" }, head.length ? h("div", { class: "lk-row" }, head) : null, insp_body(block));
}

function insp_body(block) {
  if (block.type === "text") return code(block.text);
  if (block.type === "image") return h("img", { class: "insp-image", src: block.source, alt: `picture from the server (${block.mime}, ${size_text(block.size)})` });
  if (block.type === "audio") return h("audio", { controls: true, src: block.source, "aria-label": `sound from the server (${block.mime})` });
  if (block.type === "link") return h("div", {}, quiet("link to a resource: "), h("code", {}, block.uri), " ", block.text ?? "");
  return h("div", { class: "lk-quiet" }, "binary data, not shown here; the JSON has its beginning");
}

/** The value of a tool in the view that reads best, with the others a click away; and the JSON of the whole answer. */
function insp_result(answer) {
  const ways = [];
  const value = answer.value;
  if ("value" in answer) {
    if (tabular(value)) ways.push(["Table", () => table(value, null, `${value.length} rows`)]);
    if (value !== null && typeof value === "object") ways.push(["Tree", () => h("div", { class: "lk-scroll", tabindex: "0", role: "region", "aria-label": "result as a tree" }, tree(value))]);
    else ways.push(["Value", () => code(typeof value === "string" ? value : JSON.stringify(value))]);
  }
  const blocks = answer.blocks.map(insp_block);
  if (!ways.length) ways.push(["Content", () => (blocks.length ? blocks : quiet("an empty answer"))]);
  ways.push(["JSON", () => code(answer.raw)]);
  const body = h("div", { class: "insp-result" });
  const buttons = ways.map(([name, draw]) => button(name, () => show(name, draw)));
  function show(name, draw) {
    body.replaceChildren(...[draw()].flat());
    for (const each of buttons) each.setAttribute("aria-pressed", String(each.textContent === name));
  }
  show(...ways[0]);
  return [h("div", { class: "lk-row insp-ways", role: "group", "aria-label": "view of the result" }, buttons), body,
    "value" in answer ? blocks : null, answer.hint ? code(answer.hint) : null].flat().filter(Boolean);
}

/** One call: its state, its answer, and what can be done with it. `show(entry)`; `clear()`. */
function insp_answer(panel, app) {
  let shown = null;
  const head = h("span", { class: "lk-row" }), body = h("div", { class: "insp-body" }), extra = h("div", { class: "insp-extra" });
  const save = button("Save as test", () => insp_test(panel, shown, extra, app));
  const actions = h("span", { class: "lk-row", hidden: true }, button("Run again", () => app.run(shown)), button("Edit", () => app.edit(shown)),
    button("As Python", () => insp_code(panel, shown, extra, app)), save);
  const root = h("section", { class: "insp-answer", "aria-label": "answer" }, h("div", { class: "lk-row" }, head, actions), body, extra);
  function show(entry) {
    const same = shown?.id === entry.id && shown?.state === entry.state;
    shown = entry;
    if (same) return;
    actions.hidden = false;
    save.hidden = entry.state === "cancelled" || entry.state === "running";
    extra.replaceChildren();
    head.replaceChildren(h("b", {}, entry.name), insp_state(entry.state), quiet(entry.state === "running" ? "" : time_text(entry.seconds)), quiet(entry.at));
    body.replaceChildren(...(entry.answer ? insp_result(entry.answer) : entry.error ? [h("pre", { class: "lk-code lk-bad", tabindex: "0" }, entry.error)]
      : [quiet({ running: "", cancelled: "The call was cancelled; the server was told so." }[entry.state] ?? "The history has let go of this answer.")]));
  }
  return { root, show, clear() { shown = null; actions.hidden = true; for (const part of [head, body, extra]) part.replaceChildren(); }, shown: () => shown };
}

function insp_code(panel, entry, place, app) {
  panel.ask("code", { id: entry.id }).then((text) => {
    const said = h("output", { class: "lk-quiet" });
    place.replaceChildren(h("div", { class: "insp-box", role: "group", "aria-label": "Python cell" }, code(text),
      h("div", { class: "lk-row" }, button("Copy", () => tl_copy(text, (word) => (said.textContent = word))), button("Hide", () => place.replaceChildren()), said)));
  }, app.fail);
}

/** Where to save a call as a test, and which members of its answer the test should not look at. */
function insp_test(panel, entry, place, app) {
  panel.ask("plan_test", { id: entry.id }).then((plan) => {
    const path = h("input", { type: "text", value: plan.path, spellcheck: "false", class: "insp-wide" });
    const boxes = plan.members.map((member) => [member, h("input", { type: "checkbox", checked: true })]);
    const said = h("div", { role: "status", class: "insp-said" });
    const source = h("details", { class: "insp-more" }, h("summary", {}, "The test"), code(plan.source));
    const save = () => {
      path.removeAttribute("aria-invalid");
      said.replaceChildren();
      panel.ask("save_test", { id: entry.id, path: path.value, ignore: boxes.filter(([, box]) => !box.checked).map(([member]) => member) }).then((done) => {
        said.className = "insp-said";
        said.replaceChildren("Saved. It runs with ", h("code", {}, done.run));
        source.lastChild.textContent = done.source;
      }, (error) => { said.className = "insp-said lk-bad"; said.textContent = error.message; path.setAttribute("aria-invalid", "true"); });
    };
    place.replaceChildren(h("div", { class: "insp-box", role: "group", "aria-label": "Save as test" },
      insp_field("File", path),
      boxes.length ? h("fieldset", { class: "insp-fieldset" }, h("legend", {}, "Compare these members (untick what changes from call to call)"),
        h("div", { class: "insp-members" }, boxes.map(([member, box]) => h("label", {}, box, h("code", {}, member.join(".").replaceAll(".*", "[]")))))) : null,
      source, h("div", { class: "lk-row" }, button("Save", save, { class: "lk-button lk-primary" }), button("Hide", () => place.replaceChildren())), said));
    path.focus();
  }, app.fail);
}
