// The fields that hold others: what may be left out, alternatives, lists, objects, maps.

/** A checkbox "give NAME" and, once it is ticked, the field: for what may be left out or null, and for recursion. */
function fieldGiven(ctx, schema, outer, spec, nullable) {
  const id = uid("give");
  const slot = h("div", { class: "lk-slot", id: `${id}-slot` });
  const state = quiet("");
  const box = h("input", { type: "checkbox", id, "aria-describedby": `${id}-help ${id}-error` });
  const word = h("span", {}, `give ${spec.label}`);
  const error = h("div", { class: "lk-bad lk-error", id: `${id}-error` });
  const help = h("div", { class: "lk-quiet lk-help", id: `${id}-help` }, fieldCut(schema.description));
  const kept = Object.hasOwn(outer, "default");
  // Leaving it out would bring a default back that the person has just taken away.
  const rest = nullable && (spec.required || (kept && outer.default !== null)) ? null : undefined;
  let inner = null, off = rest;
  const root = h("div", { class: "lk-stack" }, h("div", { class: "lk-row" }, box, h("label", { for: id, class: "lk-label" }, word), state), help, error, slot);
  const problem = (text) => { error.textContent = text; if (text) box.setAttribute("aria-invalid", "true"); else box.removeAttribute("aria-invalid"); };
  const show = () => {
    if (box.checked && !inner) {
      ctx.budget = Math.max(ctx.budget, 0) + (slot.isConnected ? FIELD_BUDGET : 0);
      const { description: _, ...plain } = schema;
      inner = fieldOf(ctx, plain, { label: spec.label, required: true, given: true, asked: true, ...fieldBelow(spec, slot.isConnected), nested: (spec.nested ?? 0) + 1 });
      slot.replaceChildren(inner.root);
    }
    slot.hidden = !box.checked;
    help.hidden = !help.textContent;
    state.textContent = box.checked ? "" : off === null ? "null" : "left out";
    problem("");
  };
  box.addEventListener("input", () => { off = rest; show(); });
  const field = {
    root, problem,
    rename: (text) => { word.textContent = `give ${text}`; inner?.rename(text); },
    get: () => (box.checked ? inner.get() : off),
    set(value) {
      box.checked = value !== undefined && !(nullable && value === null);
      off = value === undefined ? undefined : null;
      show();
      if (box.checked) inner.set(value);
    },
    at: (path) => (box.checked && inner.get() !== undefined ? inner.at(path) : { field, rest: path }),
    problems: () => (!box.checked ? [] : inner.get() === undefined ? [{ path: [], message: FIELD_NEEDED }] : inner.problems()),
  };
  if (kept && outer.default !== null) field.set(outer.default);
  else show();
  return field;
}

/** A choice of alternatives, and the field of the chosen one. What was typed into another stays there. */
function fieldUnion(ctx, ways, schema, spec) {
  const plain = ["string", "integer", "number", "boolean"].includes(schemaType(ways[0].schema));
  const start = spec.required && plain ? 0 : -1;
  const select = h("select", { "aria-label": `${spec.label}: kind` }, h("option", { value: "-1" }, spec.required ? "(choose)" : "(leave out)"), ways.map((way, at) => h("option", { value: String(at) }, way.name)));
  const slot = h("div", { class: "lk-slot" });
  const frame = fieldGroup(schema, spec, select, slot);
  const made = new Map();
  let chosen = false;
  const current = () => made.get(Number(select.value));
  const choose = (at, asked) => {
    select.value = String(at);
    if (at >= 0 && !made.has(at)) {
      if (asked) ctx.budget = Math.max(ctx.budget, 0) + FIELD_BUDGET;
      made.set(at, fieldOf(ctx, ways[at].schema, { label: ways[at].name, required: true, given: asked, asked, ...fieldBelow(spec, asked), nested: (spec.nested ?? 0) + 1 }));
    }
    slot.replaceChildren(...(current() ? [current().root] : []));
  };
  select.addEventListener("input", () => { chosen = true; choose(Number(select.value), true); });
  const field = fieldMade(frame, {
    get: () => current()?.get(),
    set(value) {
      chosen = false;
      if (value === undefined) { choose(-1, false); return; }
      const fits = ways.map((way) => (schemaIsNull(way.schema) ? (value === null ? 3 : -1) : schemaFit(way.schema, value, ctx.root)));
      choose(fits.indexOf(Math.max(...fits)), false);
      current().set(value);
    },
    rename: (text) => { frame.rename(text); select.setAttribute("aria-label", `${text}: kind`); },
    at: (path) => (current() ? current().at(path) : { field, rest: path }),
    problems: () => (current() && current().get() === undefined && (chosen || spec.given) ? [{ path: [], message: FIELD_NEEDED }] : current()?.problems() ?? []),
  });
  if (Object.hasOwn(schema, "default")) field.set(schema.default);
  else choose(start, false);
  return field;
}

/** Some of a few values, as checkboxes; in the order in which they were chosen. */
function fieldChecks(choices, schema, spec) {
  let picked = [], given = false;
  const boxes = choices.map((each) => h("input", { type: "checkbox", onchange: (event) => {
    picked = event.target.checked ? [...picked, each.value] : picked.filter((other) => !schemaSame(other, each.value));
  } }));
  const frame = fieldGroup(schema, spec, h("div", { class: "lk-row" }, choices.map((each, at) => h("label", { class: "lk-row lk-check", title: each.about }, boxes[at], each.name))), h("div", { class: "lk-quiet lk-help" }, fieldCounts(schema)));
  const field = fieldMade(frame, {
    get: () => (picked.length || given ? [...picked] : undefined),
    set(value) {
      given = value !== undefined;
      picked = schemaList(value).filter((each, at, all) => all.findIndex((other) => schemaSame(each, other)) === at && choices.some((choice) => schemaSame(choice.value, each)));
      boxes.forEach((box, at) => { box.checked = picked.some((each) => schemaSame(each, choices[at].value)); });
    },
  });
  field.set(schema.default ?? (spec.required ? [] : undefined));
  return field;
}

function fieldCounts(schema) {
  const { minItems: low, maxItems: high } = schema;
  const words = low > 0 && high !== undefined ? `${low} to ${high} items` : low > 0 ? `at least ${low} ${low === 1 ? "item" : "items"}` : high !== undefined ? `at most ${high} ${high === 1 ? "item" : "items"}` : "";
  return [words, schema.uniqueItems ? "no item twice" : ""].filter(Boolean).join(", ");
}

/** Rows that can be added, moved and taken away; the first ones of a tuple stay. */
function fieldList(ctx, schema, spec) {
  const fixed = schemaList(schema.prefixItems).slice(0, 50), items = schema.items ?? {};
  const list = h("div", { class: "lk-rows" });
  const add = button(`Add to ${spec.label}`, () => { const row = insert(true); fieldTouched(list); fieldFocus(row.field.root); });
  const frame = fieldGroup(schema, spec, h("div", { class: "lk-quiet lk-help" }, fieldCounts(schema)), list, items === false ? null : add);
  let rows = [], label = spec.label;
  const number = () => rows.forEach((row, at) => {
    row.field.rename(`${label} ${at + 1}`);
    row.buttons.forEach(([made, verb]) => made.setAttribute("aria-label", `${verb} ${label} ${at + 1}`));
  });
  const draw = () => { list.replaceChildren(...rows.map((row) => row.root)); number(); };
  function insert(asked) {
    const at = rows.length, tuple = at < fixed.length;
    if (asked) ctx.budget = Math.max(ctx.budget, 0) + FIELD_BUDGET;
    const field = fieldOf(ctx, tuple ? fixed[at] : items, { label: `${label} ${at + 1}`, required: !tuple || at < (schema.minItems ?? 0), given: !tuple, asked, ...fieldBelow(spec, asked) });
    const row = { field, buttons: [] };
    if (!tuple) row.buttons = [["↑", "Move up", () => move(row, -1)], ["↓", "Move down", () => move(row, 1)], ["✕", "Remove", () => remove(row)]]
      .map(([sign, verb, act]) => [button(sign, act, { class: "lk-button lk-small" }), verb]);
    row.root = h("div", { class: "lk-item" }, field.root, h("div", { class: "lk-row lk-tools" }, row.buttons.map(([made]) => made)));
    rows.push(row);
    list.append(row.root);
    if (asked) number();
    return row;
  }
  function move(row, step) {
    const at = rows.indexOf(row), to = at + step;
    if (to < fixed.length || to >= rows.length) return;
    rows.splice(to, 0, ...rows.splice(at, 1));
    draw();
    row.buttons[step < 0 ? 0 : 1][0].focus();
    fieldTouched(list);
  }
  function remove(row) {
    const at = rows.indexOf(row);
    rows = rows.filter((other) => other !== row);
    draw();
    (rows[Math.min(at, rows.length - 1)]?.buttons[2]?.[0] ?? add).focus();
    fieldTouched(list);
  }
  const values = () => {
    const all = rows.map((row) => row.field.get());
    while (all.length && all.length <= fixed.length && all.at(-1) === undefined) all.pop();  // the end of a tuple may be left out
    return all;
  };
  const start = (count) => { rows = []; list.replaceChildren(); while (rows.length < count) insert(false); number(); };
  let given = true;
  const field = fieldMade(frame, {
    get: () => (given ? values().map((value) => (value === undefined ? null : value)) : undefined),
    set(value) {
      given = value !== undefined;
      start(Math.max(fixed.length, Math.min(schemaList(value).length, 200)));
      rows.forEach((row, at) => row.field.set(schemaList(value)[at]));
    },
    rename: (text) => { label = text; frame.rename(text); add.textContent = `Add to ${text}`; number(); },
    at: ([at, ...path]) => (at === undefined ? { field, rest: [] } : rows[at]?.field.at(path) ?? { field, rest: [at, ...path] }),
    problems: () => values().flatMap((value, at) => fieldUnder(at, value === undefined ? [{ path: [], message: FIELD_NEEDED }] : rows[at].field.problems())),
  });
  list.addEventListener("input", () => { given = true; });
  if (Array.isArray(schema.default)) field.set(schema.default);
  else start(Math.max(fixed.length, Math.min(schema.minItems ?? 0, 10)));
  return field;
}

/** The members that a schema names, and rows for others where it allows or already has some. */
function fieldObject(ctx, schema, spec) {
  const needed = new Set(schemaList(schema.required));
  const all = Object.entries(schema.properties ?? {});
  const drawn = all.length <= 200 ? all : [...all.filter(([name]) => needed.has(name)), ...all.filter(([name]) => !needed.has(name))].slice(0, 200);
  const fields = new Map(drawn.map(([name, part]) => [name, fieldOf(ctx, part, { name, label: name, required: needed.has(name), ...fieldBelow(spec, false) })]));
  const body = h("div", { class: "lk-fields" }, [...fields.values()].map((field) => field.root));
  const frame = fieldGroup(schema, spec, body);
  const open = schemaIsObject(schema.additionalProperties) || schema.additionalProperties === true || schemaIsObject(schema.patternProperties);
  let rest = null;
  const others = () => {
    if (!rest) { rest = fieldMap(ctx, schema, { ...spec, label: fields.size ? `other members of ${spec.label}` : spec.label, inner: true }); body.append(rest.root); }
    return rest;
  };
  if (open) others();
  if (drawn.length < all.length) body.append(quiet(`${all.length - drawn.length} more members: on the JSON tab`));
  else if (!all.length && !open) body.append(quiet(spec.bare ? "Nothing to fill in." : "no members"));
  let given = true;
  body.addEventListener("input", () => { given = true; });
  const field = fieldMade(frame, {
    get() {
      if (!given) return undefined;
      const made = Object.create(null);  // a member may be called __proto__
      for (const [name, part] of fields) { const value = part.get(); if (value !== undefined) made[name] = value; }
      return rest ? Object.assign(made, rest.get()) : made;
    },
    set(value) {
      given = value !== undefined || !!spec.bare;
      const from = schemaIsObject(value) ? value : {};
      for (const [name, part] of fields) part.set(Object.hasOwn(from, name) ? from[name] : undefined);
      const extra = Object.keys(from).filter((name) => !fields.has(name));
      if (rest || extra.length) others().set(extra.map((name) => [name, from[name]]));
    },
    rename: frame.rename,
    at([name, ...path]) {
      if (name === undefined) return { field, rest: [] };
      return fields.has(name) ? fields.get(name).at(path) : rest?.at([name, ...path]) ?? null;
    },
    problems: () => [...[...fields].flatMap(([name, part]) => fieldUnder(name, part.problems())), ...(rest?.problems() ?? [])],
  });
  if (schemaIsObject(schema.default)) field.set(schema.default);
  return field;
}

/** Members with names of the person's own: rows of a key and a value. Part of an object. */
function fieldMap(ctx, schema, spec) {
  const patterns = Object.values(schemaIsObject(schema.patternProperties) ? schema.patternProperties : {});
  const part = patterns.length === 1 && !schemaIsObject(schema.additionalProperties) ? patterns[0] : patterns.length || !schemaIsObject(schema.additionalProperties) ? {} : schema.additionalProperties;
  const list = h("div", { class: "lk-rows" });
  const add = button(`Add to ${spec.label}`, () => { ctx.budget = Math.max(ctx.budget, 0) + FIELD_BUDGET; const row = insert("", true); fieldTouched(list); row.key.focus(); });
  const root = h("div", { class: "lk-stack", role: "group", "aria-label": spec.label }, list, h("div", {}, add));
  let rows = [];
  const number = () => rows.forEach((row, at) => {
    row.name.textContent = `key ${at + 1}`;
    row.field.rename(`value ${at + 1}`);
    row.drop.setAttribute("aria-label", `Remove ${spec.label}: ${at + 1}`);
  });
  function insert(name, asked) {
    const id = uid("key");
    const error = h("div", { class: "lk-bad lk-error", id: `${id}-error` });
    const key = h("input", { type: "text", id, value: name, autocomplete: "off", class: "lk-short", "aria-describedby": `${id}-error` });
    const label = h("label", { for: id, class: "lk-label" });
    const problem = (text) => { error.textContent = text; if (text) key.setAttribute("aria-invalid", "true"); else key.removeAttribute("aria-invalid"); };
    key.addEventListener("input", () => problem(""));
    const row = { key, name: label, problem, field: fieldOf(ctx, part, { label: "value", required: true, given: true, asked, ...fieldBelow(spec, asked) }) };
    row.drop = button("✕", () => { rows = rows.filter((other) => other !== row); row.root.remove(); number(); add.focus(); fieldTouched(list); }, { class: "lk-button lk-small" });
    row.root = h("div", { class: "lk-item lk-pair" }, h("div", { class: "lk-stack" }, label, key, error), row.field.root, row.drop);
    rows.push(row);
    list.append(row.root);
    number();
    return row;
  }
  return {
    root,
    get() { const made = Object.create(null); for (const row of rows) if (row.field.get() !== undefined) made[row.key.value] = row.field.get(); return made; },
    set(entries) { rows = []; list.replaceChildren(); for (const [name, value] of entries.slice(0, 200)) insert(name, false).field.set(value); },
    at([name, ...path]) {
      const row = rows.find((each) => each.key.value === name);
      return row ? row.field.at(path) : null;
    },
    problems: () => rows.flatMap((row, at) => {
      const name = row.key.value, twice = rows.findIndex((other) => other.key.value === name) < at;
      const faults = twice ? [{ path: [], message: `the key ${JSON.stringify(name)} is there twice` }] : row.field.get() === undefined ? [{ path: [], message: FIELD_NEEDED }] : row.field.problems();
      return fieldUnder(name, faults);
    }),
  };
}

/** What a button changes counts like typing: for the groups around it, and for `onchange`. */
function fieldTouched(element) {
  element.dispatchEvent(new Event("input", { bubbles: true }));
}

/** Put the focus on the first control in an element. */
function fieldFocus(root) {
  root.querySelector("input, select, textarea, button")?.focus();
}
