// A form for any JSON Schema: schemaForm(...), used by the inspector and by elicitations. Reading a schema is in schema.js,
// the fields are in fields.js and groups.js.
//
// Why not a library: rjsf needs React and a bundle made at build time; json-editor gives a value to members that a person
// left alone unless told otherwise, and rounds integers; ipyautoui and ipywidgets-jsonschema lose defaults and nulls.

/**
 * schemaForm(schema, {value, label, complete, onchange}) -> {root, value(), set(value), show(errors), focusFirstError()}
 *
 * value() is the JSON value without the members that nobody gave. It throws, having shown why, when there is none: a JSON
 * text that does not parse, a number that is none. show([{path: ["a", 0], message}]) puts each message at its field.
 * complete(name, typed, others) suggests values for a text member; onchange() runs after every change.
 */
function schemaForm(schema, { value, label = "arguments", complete, onchange } = {}) {
  const ctx = { root: schemaIsObject(schema) ? schema : {}, budget: FIELD_BUDGET, filled: 0, complete, others: () => { const all = top.get(); return schemaIsObject(all) ? all : {}; } };
  const top = fieldOf(ctx, schema, { label, required: true, bare: true, depth: 0, level: 0 });
  const alert = h("div", { role: "alert", class: "lk-bad lk-alert", tabindex: "-1" });
  const text = h("textarea", { rows: "10", spellcheck: "false", "aria-label": `${label} as JSON` });
  const fields = h("div", {}, top.root);
  let marked = [], told = [], shownText = "";

  const write = () => { const now = top.get(); shownText = now === undefined ? "" : JSON.stringify(now, null, 2); text.value = shownText; };
  const read = () => (text.value.trim() ? jsonRead(text.value) : undefined);
  /** Take over what the JSON text says; false, and the reason shown, when it says nothing. */
  function take() {
    if (text.value === shownText) return true;
    try { fill(read()); } catch (error) {
      text.setAttribute("aria-invalid", "true");
      tell([{ path: [], message: error.message }]);
      text.focus();
      if (error.at !== undefined) text.setSelectionRange(error.at, error.at + 1);
      return false;
    }
    shownText = text.value;
    return true;
  }
  const both = tabs([
    { name: "Form", pane: fields, shown: () => tell([]) },
    { name: "JSON", pane: h("div", {}, text), leaves: take, shown: () => { write(); tell([]); } },
  ], `${label}: form or JSON`);
  const fill = (given) => { ctx.filled = 0; top.set(given); };
  const inText = () => both.current() === "JSON";

  function tell(errors) {
    for (const field of marked) field.problem("");
    text.removeAttribute("aria-invalid");
    marked = [];
    told = schemaList(errors).slice(0, 100);
    const above = [], placed = new Map();
    for (const { path, message } of told) {
      const found = inText() || !path.length ? null : top.at(path);
      const where = path.map((each, at) => (typeof each === "number" ? `[${each}]` : at ? `.${each}` : each)).join("");
      if (!found) { above.push(where ? `${where}: ${message}` : message); continue; }
      const rest = found.rest.length ? `${found.rest.map(String).join(".")}: ` : "";
      placed.set(found.field, [...(placed.get(found.field) ?? []), rest + message]);
    }
    for (const [field, messages] of placed) { field.problem(messages.join("; ")); marked.push(field); }
    const count = placed.size ? `${placed.size === 1 ? "One value does" : `${placed.size} values do`} not fit.` : "";
    alert.replaceChildren(...[count, ...above].filter(Boolean).map((line) => h("div", {}, line)));
    if (told.length && inText()) text.setAttribute("aria-invalid", "true");
  }

  const root = h("div", { class: "lk-form", "data-lm-suppress-shortcuts": "true" }, alert, both.root);
  root.addEventListener("input", () => { alert.replaceChildren(); onchange?.(); });
  if (value !== undefined) fill(value);
  const made = {
    root,
    value() {
      if (inText() && !take()) throw new Error(told[0].message);
      const problems = top.problems();
      if (!problems.length) return top.get();
      tell(problems);
      made.focusFirstError();
      throw Object.assign(new Error(problems.map((each) => each.message).join("; ")), { errors: problems });
    },
    set(given) { fill(given); write(); tell([]); onchange?.(); },
    show: tell,
    focusFirstError() {
      if (inText()) { text.focus(); return; }
      const first = fields.querySelector('[aria-invalid="true"], [data-invalid="true"]');
      if (!first) alert.focus();
      else if (first.dataset.invalid) fieldFocus(first);
      else first.focus();
    },
  };
  return made;
}

/** JSON.parse that says where the text stops being JSON, in lines and columns, and refuses integers that it would round. */
function jsonRead(text) {
  const token = /\s*(?:("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(true|false|null)|([{}[\],:]))/y;
  const space = /\s*/y;
  let at = 0;
  const fail = (wanted, from) => {
    const lines = text.slice(0, from).split("\n");
    throw Object.assign(new Error(`Line ${lines.length}, column ${lines.at(-1).length + 1}: ${wanted}`), { at: from });
  };
  const here = () => { space.lastIndex = at; space.test(text); return space.lastIndex; };
  const wanted = (what) => fail(here() >= text.length ? `the text ends where ${what} is expected` : `${what} is expected here`, here());
  const next = () => { token.lastIndex = at; const found = token.exec(text); if (found) at = token.lastIndex; return found; };
  const peek = () => text[here()];
  const sign = (what) => { if (peek() !== what) wanted(what === ":" ? "':'" : `'${what}'`); at = here() + 1; };
  const read = (depth) => {
    if (depth > 500) fail("nested too deeply", at);
    const start = here();
    if (peek() === "{" || peek() === "[") {
      const open = peek(), close = open === "{" ? "}" : "]";
      at = start + 1;
      if (peek() === close) { at = here() + 1; return; }
      for (;;) {
        if (open === "{") { if (peek() !== '"' || !next()) wanted("a name in double quotes"); sign(":"); }
        read(depth + 1);
        if (peek() === close) { at = here() + 1; return; }
        if (peek() !== ",") wanted(`',' or '${close}'`);
        at = here() + 1;
      }
    }
    const found = next();
    if (!found || found[4]) { at = start; wanted("a value"); }
    if (found[2] && (!Number.isFinite(Number(found[2])) || (/^-?\d+$/.test(found[2]) && !Number.isSafeInteger(Number(found[2]))))) fail(fieldTooLarge(found[2]), start);
  };
  read(0);
  if (here() < text.length) fail("nothing more is expected here", here());
  return JSON.parse(text);
}
