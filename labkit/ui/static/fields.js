// The fields of a form, one function for each kind. A field is { root, get(), set(value), at(path), problem(text), problems() }:
// `get()` is undefined when nothing is given, `set(undefined)` takes it back, `at(path)` finds the field of a problem,
// `problems()` are those that only the form can see (a number that is none, a list with a hole).

const FIELD_NEEDED = "a value is needed";
const FIELD_DEPTH = 8;      // levels that are drawn without being asked for
const FIELD_BUDGET = 300;   // fields that are drawn at once: a schema may describe any number
const FIELD_FILLED = 2000;  // fields that are filled in at once
const FIELD_LEVELS = 30;    // levels at all: a browser lays out no endless nesting

/** The field of a schema. Whatever value it is given it keeps: one that its controls cannot hold becomes a JSON text. */
function fieldOf(ctx, schema, spec) {
  const read = schemaRead(schema, ctx.root);
  if (read && spec.name !== undefined) spec = { ...spec, label: fieldLabel(read, spec.name) };
  const box = h("div", { class: "lk-field" });
  let inner, raw = false;
  const put = (field) => { inner = field; box.replaceChildren(field.root); };
  put(fieldKind(ctx, read, spec));
  return {
    root: box,
    get: () => inner.get(),
    set(value) {
      if (raw) { raw = false; put(fieldKind(ctx, read, spec)); }
      ctx.filled += 1;
      if (ctx.filled < FIELD_FILLED || value === undefined) {
        inner.set(value);
        if (value === undefined || schemaSame(inner.get(), value)) return;
      }
      raw = true;
      put(fieldJson(ctx, read, spec));
      inner.set(value);
    },
    at: (path) => inner.at(path),
    problem: (text) => inner.problem(text),
    problems: () => inner.problems(),
    rename: (label) => { spec = { ...spec, label }; inner.rename?.(label); },
  };
}

/** Where a part stands: how deep in what was drawn by itself, and how deep at all. */
const fieldBelow = (spec, asked) => ({ depth: asked ? 1 : spec.depth + 1, level: spec.level + 1 });

/** A text of the server, bounded. */
const fieldCut = (text, most = 1000) => (typeof text !== "string" ? "" : text.length > most ? `${text.slice(0, most)}...` : text);

/** The title, if it says more than the name: many are made from it. */
function fieldLabel(schema, name) {
  const plain = (text) => String(text).toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");
  return typeof schema.title === "string" && plain(schema.title) !== plain(name) ? fieldCut(schema.title, 200) : fieldCut(name, 200);
}

function fieldKind(ctx, schema, spec) {
  if (schema === null || spec.level > FIELD_LEVELS) return fieldJson(ctx, schema ?? {}, spec);
  const kept = Object.hasOwn(schema, "default"), late = !spec.asked && (spec.depth > FIELD_DEPTH || ctx.budget <= 0);
  ctx.budget -= 1;
  if (Object.hasOwn(schema, "const") && (spec.required || kept)) return fieldFixed(schema.const, schema, spec);
  const choices = schemaChoices(schema, ctx.root);
  if (choices) return choices.length <= 1000 ? fieldChoice(choices, schema, spec) : fieldJson(ctx, schema, spec);
  const ways = schemaWays(schema, ctx.root);
  if (ways) {
    if (ways.length > 200 || spec.nested > 5) return fieldJson(ctx, schema, spec);  // alternatives of alternatives of ...
    const some = ways.filter((way) => !schemaIsNull(way.schema));
    if (some.length === 1 && ways.length === 2) {
      const { default: _, ...inner } = { ...some[0].schema, ...Object.fromEntries(["description", "title"].filter((key) => key in schema).map((key) => [key, schema[key]])) };
      return fieldGiven(ctx, inner, schema, spec, true);
    }
    return fieldUnion(ctx, ways, schema, spec);
  }
  const type = schemaType(schema);
  if (type === "boolean") return fieldBoolean(schema, spec);
  if (type === "integer" || type === "number") return fieldNumber(schema, spec);
  if (type === "string") return fieldText(ctx, schema, spec);
  if (type === "null") return fieldFixed(null, schema, spec);
  if (type === "array" || type === "object") {
    const items = type === "array" && !schema.prefixItems && schemaRead(schema.items, ctx.root);
    const several = items && schema.items !== undefined && schemaChoices(items, ctx.root);
    if (several && several.length <= 60) return fieldChecks(several, schema, spec);
    if ((!spec.required && !kept) || late) return fieldGiven(ctx, schema, schema, spec, false);
    return type === "array" ? fieldList(ctx, schema, spec) : fieldObject(ctx, schema, spec);
  }
  return fieldJson(ctx, schema, spec);
}

/** Whether to mark a field as needed: not one that stands there because somebody asked for it. */
const fieldStarred = (spec) => spec.required && !spec.given;

/** Label, control, help and the place for a problem, tied together for a screen reader. */
function fieldFrame(schema, spec, control, hint, layout = "") {
  const id = uid("field");
  const name = h("span", {}, spec.label);
  const help = h("div", { id: `${id}-help`, class: "lk-quiet lk-help" }, [fieldCut(schema.description), fieldCut(hint, 300)].filter(Boolean).join(" · "));
  const error = h("div", { id: `${id}-error`, class: "lk-bad lk-error" });
  const label = h("label", { for: id, class: fieldStarred(spec) ? "lk-label lk-needed" : "lk-label" }, name);
  const frame = { root: null, take, problem, rename: (text) => { name.textContent = text; } };
  function take(made) {
    made.id = id;
    if (fieldStarred(spec) && !made.matches("[type=checkbox]")) made.setAttribute("aria-required", "true");
    made.setAttribute("aria-describedby", `${id}-help ${id}-error`);
    made.addEventListener("input", () => problem(""));
  }
  function problem(text) {
    const made = frame.root.querySelector(`#${id}`);
    error.textContent = text;
    if (text) made.setAttribute("aria-invalid", "true"); else made.removeAttribute("aria-invalid");
  }
  take(control);
  frame.root = layout === "check" ? h("div", { class: "lk-stack" }, h("div", { class: "lk-row" }, control, label), help, error)
    : h("div", { class: "lk-stack" }, label, control, help, error);
  return frame;
}

/** A frame around several fields: fieldset and legend, help, problem. */
function fieldGroup(schema, spec, ...content) {
  const id = uid("group");
  const name = h("span", {}, spec.label);
  const error = h("div", { id: `${id}-error`, class: "lk-bad lk-error" });
  const root = h("fieldset", { class: spec.bare ? "lk-bare" : "lk-group", "aria-describedby": `${id}-error` },
    h("legend", { class: spec.bare ? "lk-hidden-label" : fieldStarred(spec) ? "lk-label lk-needed" : "lk-label" }, name),
    spec.bare ? null : h("div", { class: "lk-quiet lk-help" }, fieldCut(schema.description)), error, content);
  root.addEventListener("input", () => problem(""));
  function problem(text) {
    error.textContent = text;
    if (text) root.dataset.invalid = "true"; else delete root.dataset.invalid;
  }
  return { root, problem, rename: (text) => { name.textContent = text; } };
}

/** The members that every field has; `at` of a field without parts keeps the rest of the path for the message. */
function fieldMade(frame, more) {
  const field = { root: frame.root, problem: frame.problem, rename: frame.rename, problems: () => [], at: (path) => ({ field, rest: path }), ...more };
  return field;
}

/** Problems of a part, with its place in front. */
const fieldUnder = (key, problems) => problems.map(({ path, message }) => ({ path: [key, ...path], message }));

function fieldFixed(value, schema, spec) {
  let given = true;
  const shown = h("input", { type: "text", readonly: true, tabindex: "-1", class: "lk-wide lk-mono", value: typeof value === "string" ? value : JSON.stringify(value) });
  const frame = fieldFrame(schema, { ...spec, required: false }, shown, "always this");
  return fieldMade(frame, { get: () => (given ? value : undefined), set(v) { given = v !== undefined; } });
}

function fieldChoice(choices, schema, spec) {
  const select = h("select", {}, choices.map((each, at) => h("option", { value: String(at), title: each.about }, each.name)));
  const kept = Object.hasOwn(schema, "default");
  select.prepend(h("option", { value: "" }, spec.required && !kept ? "(choose)" : "(leave out)"));
  const frame = fieldFrame(schema, spec, select);
  const field = fieldMade(frame, {
    get: () => (select.value === "" ? undefined : choices[Number(select.value)].value),
    set(value) { const at = choices.findIndex((each) => schemaSame(each.value, value)); select.value = value === undefined || at < 0 ? "" : String(at); },
  });
  field.set(schema.default);
  return field;
}

function fieldBoolean(schema, spec) {
  if (!spec.required && !Object.hasOwn(schema, "default"))
    return fieldChoice([{ value: true, name: "true" }, { value: false, name: "false" }], schema, spec);
  const box = h("input", { type: "checkbox" });
  let given = true;
  box.addEventListener("input", () => { given = true; });
  const field = fieldMade(fieldFrame(schema, spec, box, "", "check"), {
    get: () => (given ? box.checked : undefined),
    set(value) { given = value !== undefined; box.checked = value === true; },
  });
  field.set(schema.default === true);
  return field;
}

/** The limits of a number in words. A limit that JavaScript rounds is called "about". */
function fieldLimits(schema) {
  const say = (limit) => (typeof limit === "number" && Math.abs(limit) > Number.MAX_SAFE_INTEGER ? `about ${limit.toExponential(1)}` : String(limit));
  const parts = [schemaType(schema) === "integer" ? "whole number" : "number"];
  const { minimum: low, maximum: high, exclusiveMinimum: above, exclusiveMaximum: below, multipleOf: step } = schema;
  if (low !== undefined && high !== undefined) parts.push(`${say(low)} to ${say(high)}`);
  else if (low !== undefined) parts.push(`at least ${say(low)}`);
  else if (high !== undefined) parts.push(`at most ${say(high)}`);
  if (above !== undefined) parts.push(`more than ${say(above)}`);
  if (below !== undefined) parts.push(`less than ${say(below)}`);
  if (step !== undefined) parts.push(`in steps of ${say(step)}`);
  return parts.join(", ");
}

/** A text field, so that nothing given stays nothing, and what is typed stays as it was typed. */
function fieldNumber(schema, spec) {
  const whole = schemaType(schema) === "integer";
  const input = h("input", { type: "text", inputmode: whole ? "numeric" : "decimal", autocomplete: "off", class: "lk-short" });
  const typed = () => input.value.trim();
  const number = () => (/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(typed()) ? Number(typed()) : NaN);
  const field = fieldMade(fieldFrame(schema, spec, input, fieldLimits(schema)), {
    get: () => (!typed() ? undefined : Number.isFinite(number()) ? number() : typed()),
    set(value) { input.value = value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value); },
    problems() {
      // What is no number is given as it is: the check says so, and someone may want to see what the server says.
      const text = typed(), value = number();
      const rounded = value === Infinity || value === -Infinity || (/^[+-]?\d+$/.test(text) && !Number.isSafeInteger(value));
      return text && rounded ? [{ path: [], message: fieldTooLarge(text) }] : [];
    },
  });
  field.set(schema.default);
  return field;
}
const fieldTooLarge = (text) => `${text} cannot be kept exactly in a browser, which counts to ${Number.MAX_SAFE_INTEGER}: send it from a cell`;

const FIELD_HINTS = { date: "2026-11-21", time: "10:30:00Z", "date-time": "2026-11-21T10:30:00Z", email: "ada@example.org", uri: "https://example.org/", uuid: "123e4567-e89b-12d3-a456-426614174000" };

function fieldText(ctx, schema, spec) {
  const kept = Object.hasOwn(schema, "default"), format = schema.format;
  const secret = format === "password" || schema.writeOnly === true;
  // An empty text is given where somebody asked for the field, or took its default away; and left out anywhere else.
  const empty = (kept || !!spec.given) && !format && !(schema.minLength > 0);
  let control, given = false, tall = schema.maxLength > 200 || format === "textarea" || format === "multi-line" || schema.contentMediaType !== undefined;
  const limits = [schema.minLength > 0 && schema.maxLength !== undefined ? `${schema.minLength} to ${schema.maxLength} characters` : schema.minLength > 1 ? `at least ${schema.minLength} characters`
    : schema.maxLength !== undefined ? `at most ${schema.maxLength} characters` : "", format && !secret ? String(format) : "", schema.pattern ? `pattern ${schema.pattern}` : ""];
  const make = () => (tall ? h("textarea", { rows: "4", spellcheck: "false" })
    : h("input", { type: secret ? "password" : { email: "email", uri: "url", date: "date" }[format] ?? "text", autocomplete: "off", class: format === "date" ? "lk-short" : "lk-wide" }));
  control = make();
  const frame = fieldFrame(schema, spec, control, limits.filter(Boolean).join(", "));
  const hint = () => { control.placeholder = given ? "(empty text)" : FIELD_HINTS[format] ?? (schemaList(schema.examples)[0] !== undefined ? `such as ${schema.examples[0]}` : ""); };
  const heard = () => { given = control.value !== "" || empty; hint(); };
  const swap = () => {  // one line cannot hold several, and a date field no other text
    const old = control;
    control = make();
    control.value = old.value;
    wire();
    old.replaceWith(control);
    frame.take(control);
  };
  const wire = () => {
    control.addEventListener("input", heard);
    control.addEventListener("paste", (event) => {
      const pasted = event.clipboardData?.getData("text/plain") ?? "";
      if (tall || !pasted.includes("\n")) return;
      event.preventDefault();
      const at = control.selectionStart ?? control.value.length, end = control.selectionEnd ?? at;
      tall = true;
      swap();
      control.setRangeText(pasted.replaceAll("\r\n", "\n"), at, end, "end");
      control.focus();
      control.dispatchEvent(new Event("input", { bubbles: true }));
    });
    if (ctx.complete && spec.name !== undefined && spec.depth === 1 && !tall) fieldComplete(ctx, spec.name, control, frame);
  };
  wire();
  const field = fieldMade(frame, {
    get: () => (control.value !== "" ? control.value : given ? "" : undefined),
    set(value) {
      const text = typeof value === "string" ? value : "";
      if (!tall && /[\r\n]/.test(text)) { tall = true; swap(); }
      if (control.type === "date" && text && !/^\d{4}-\d\d-\d\d$/.test(text)) control.type = "text";
      control.value = text;
      given = typeof value === "string";
      hint();
    },
  });
  field.set(kept ? schema.default : empty ? "" : undefined);
  return field;
}

/** Suggestions for a text field, from `ctx.complete(name, typed, others)`. A late answer to an older text is dropped. */
function fieldComplete(ctx, name, input, frame) {
  const list = h("datalist", { id: uid("list") });
  let timer, turn = 0;
  const ask = async () => {
    const mine = ++turn, { [name]: _, ...others } = ctx.others();
    let values = [];
    try { values = await ctx.complete(name, input.value, others); } catch { /* a server that cannot complete is no fault of the person */ }
    if (mine === turn) list.replaceChildren(...schemaList(values).slice(0, 100).map((value) => h("option", { value: String(value) })));
  };
  input.setAttribute("list", list.id);
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 150); });
  input.addEventListener("focus", ask);
  queueMicrotask(() => frame.root.append(list));
}

/** Anything else, as JSON. */
function fieldJson(ctx, schema, spec) {
  const area = h("textarea", { rows: "3", spellcheck: "false" });
  const frame = fieldFrame(schema ?? {}, spec, area, "JSON, such as \"text\", 1, true, [1, 2] or {\"a\": 1}");
  const parse = () => { try { return { value: jsonRead(area.value) }; } catch (error) { return { error }; } };
  const field = fieldMade(frame, {
    get() { if (!area.value.trim()) return undefined; const { value, error } = parse(); return error ? area.value : value; },
    set(value) { area.value = value === undefined ? "" : JSON.stringify(value, null, 2); },
    problems() { const { error } = area.value.trim() ? parse() : {}; return error ? [{ path: [], message: error.message }] : []; },
  });
  field.set(schema?.default);
  return field;
}
