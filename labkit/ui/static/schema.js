// Reading a JSON Schema for a form: references and `allOf` resolved, what may be chosen, which alternative a value is.

const SCHEMA_WORDS = new Set(["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$comment", "$id", "$schema", "$anchor", "$defs", "definitions", "discriminator"]);
const SCHEMA_LEAST = new Set(["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"]);
const SCHEMA_MOST = new Set(["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]);
const SCHEMA_SHAPES = ["type", "properties", "items", "prefixItems", "enum", "const", "$ref", "allOf", "anyOf", "oneOf", "additionalProperties", "patternProperties"];
const SCHEMA_KINDS = { string: "text", integer: "whole number", number: "number", boolean: "true or false", array: "list", object: "object", null: "null" };

/** JSON with sorted keys: two values are the same when these texts are. */
function schemaText(value) {
  return JSON.stringify(value, (_, each) => (each && typeof each === "object" && !Array.isArray(each)
    ? Object.fromEntries(Object.keys(each).sort().map((key) => [key, each[key]])) : each)) ?? "";
}
const schemaSame = (one, two) => schemaText(one) === schemaText(two);
const schemaIsObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const schemaList = (value) => (Array.isArray(value) ? value : []);

/** What a `$ref` points to within the document, or undefined. */
function schemaPoint(root, ref) {
  if (typeof ref !== "string") return undefined;
  const inside = root.$id && ref.startsWith(`${root.$id}#`) ? ref.slice(root.$id.length) : ref;
  if (inside === "#") return root;
  if (!inside.startsWith("#/")) return undefined;
  let node = root;
  try {
    for (const part of inside.slice(2).split("/").map((each) => decodeURIComponent(each).replaceAll("~1", "/").replaceAll("~0", "~"))) {
      if (node === null || typeof node !== "object" || !Object.hasOwn(node, part)) return undefined;
      node = node[part];
    }
  } catch { return undefined; }
  return node;
}

/** A schema without `$ref` and `allOf`; null when it cannot be drawn, or not soon (then the field is a JSON text). */
function schemaRead(schema, root, seen = [], work = { steps: 0 }) {
  if (schema === true || schema === undefined) return {};
  if (!schemaIsObject(schema) || Object.hasOwn(schema, "$dynamicRef") || seen.length > 40 || ++work.steps > 1000) return null;
  const { $ref, allOf, ...own } = schema;
  let made = own;  // the words beside a `$ref` win over those behind it
  if ($ref !== undefined) {
    const target = schemaPoint(root, $ref);
    const read = target === undefined || seen.includes($ref) ? null : schemaRead(target, root, [...seen, $ref], work);
    made = read && schemaMerge(own, read);
  }
  for (const part of schemaList(allOf)) {
    const read = made && schemaRead(part, root, [...seen, ""], work);
    made = read && schemaMerge(made, read);
  }
  // What a condition may ask for can be filled in, too; whether it must be is for the check.
  const perhaps = made ? [made.then, made.else, ...Object.values(schemaIsObject(made.dependentSchemas) ? made.dependentSchemas : {})] : [];
  for (const part of perhaps.filter((each) => schemaIsObject(each))) {
    const read = schemaRead(part, root, [...seen, ""], work);
    if (schemaIsObject(read?.properties)) made = { ...made, properties: { ...read.properties, ...made.properties } };
  }
  return made;
}

/** One schema that asks for both; the words of the first win. Null when they cannot be put together plainly. */
function schemaMerge(first, second) {
  const made = { ...second, ...first };
  for (const [key, two] of Object.entries(second)) {
    if (!Object.hasOwn(first, key) || SCHEMA_WORDS.has(key)) continue;
    const one = first[key];
    if (schemaSame(one, two)) continue;
    if (SCHEMA_LEAST.has(key)) made[key] = Math.max(one, two);
    else if (SCHEMA_MOST.has(key)) made[key] = Math.min(one, two);
    else if (key === "required") made[key] = [...new Set([...schemaList(one), ...schemaList(two)])];
    else if (key === "enum") made[key] = schemaList(one).filter((each) => schemaList(two).some((other) => schemaSame(each, other)));
    else if (key === "properties") {
      made[key] = { ...two, ...one };
      for (const name of Object.keys(two)) if (Object.hasOwn(one, name)) made[key][name] = { allOf: [one[name], two[name]] };
    } else if (key === "additionalProperties" && (one === false || two === false)) made[key] = false;
    else if (key === "type" && [one, two].includes("integer") && [one, two].includes("number")) made[key] = "integer";
    else return null;
  }
  return made;
}

/** The type of what a schema describes, also where it only follows from other keywords. */
function schemaType(schema) {
  if (typeof schema.type === "string") return schema.type;
  if (schemaIsObject(schema.properties) || schemaIsObject(schema.additionalProperties) || schemaIsObject(schema.patternProperties)) return "object";
  return schema.items !== undefined || schema.prefixItems ? "array" : undefined;
}

/** The values to choose from: `[{value, name}]`, or null when the schema is no list of values. */
function schemaChoices(schema, root) {
  if (Array.isArray(schema.enum))
    return schema.enum.map((value, at) => ({ value, name: String(schemaList(schema.enumNames)[at] ?? (typeof value === "string" ? value : JSON.stringify(value))) }));
  if (Object.hasOwn(schema, "const")) return schemaChoices({ enum: [schema.const] }, root);
  const ways = schema.oneOf ?? schema.anyOf;
  if (!Array.isArray(ways) || !ways.length || (schema.oneOf && schema.anyOf) || ways.length > 2000) return null;
  const made = ways.map((way) => (schemaIsObject(way) && Object.hasOwn(way, "const")
    ? { value: way.const, name: String(way.title ?? (typeof way.const === "string" ? way.const : JSON.stringify(way.const))), about: way.description } : null));
  return made.every(Boolean) ? made : null;
}

/** The alternatives of a schema, each complete in itself: `[{schema, name}]`; null when there are none to choose. */
function schemaWays(schema, root) {
  let made;
  if (schemaList(schema.type).length) made = schema.type.map((type) => ({ ...schema, type, title: undefined }));
  else {
    const ways = schemaList(schema.oneOf ?? schema.anyOf);
    // Alternatives that only limit (`{"required": ["a"]}`) change nothing that can be drawn.
    if (!ways.length || !ways.some((way) => schemaIsObject(way) && SCHEMA_SHAPES.some((key) => key in way))) return null;
    const { oneOf, anyOf, ...rest } = schema;
    const base = Object.fromEntries(Object.entries(rest).filter(([key]) => !SCHEMA_WORDS.has(key)));
    const other = schema.oneOf && schema.anyOf ? { anyOf } : {};
    made = ways.map((way) => {
      const read = schemaRead(way, root);
      return (read && schemaMerge(read, { ...base, ...other })) ?? { title: schemaIsObject(way) ? way.title : undefined, $dynamicRef: "" };
    });
  }
  const names = made.map((way) => schemaName(way, root));
  return made.map((way, at) => ({ schema: way, name: names.indexOf(names[at]) === names.lastIndexOf(names[at]) ? names[at] : `${names[at]} (${names.slice(0, at + 1).filter((each) => each === names[at]).length})` }));
}

/** What to call an alternative. */
function schemaName(schema, root, depth = 0) {
  if (typeof schema.title === "string") return fieldCut(schema.title, 200);
  const choices = schemaChoices(schema, root);
  if (choices) return choices.length > 4 ? `one of ${choices.length}` : choices.map((each) => each.name).join(" or ");
  const type = schemaType(schema);
  if (type === "array" && schemaIsObject(schema.items) && depth < 3) {
    const items = schemaRead(schema.items, root);
    if (items && !schema.prefixItems) return `list of ${schemaName(items, root, depth + 1)}`;
  }
  return type === "string" && schema.format ? String(schema.format) : SCHEMA_KINDS[type] ?? "JSON";
}

const schemaIsNull = (schema) => schema.type === "null" || (Object.hasOwn(schema, "const") && schema.const === null);

/** How well a value fits an alternative: below 0 not at all, the more the better. A guess to choose by, not a check. */
function schemaFit(schema, value, root, depth = 0, work = { steps: 0 }) {
  if (depth > 3 || ++work.steps > 2000) return 0;
  const read = schemaRead(schema, root);
  if (!read) return 0;
  const choices = schemaChoices(read, root);
  if (choices) return choices.some((each) => schemaSame(each.value, value)) ? 3 : -1;
  const type = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  const wanted = Array.isArray(read.type) ? read.type : [schemaType(read)];
  if (wanted[0] === undefined) {
    const ways = schemaWays(read, root);
    return ways ? Math.max(...ways.slice(0, 20).map((way) => schemaFit(way.schema, value, root, depth + 1, work))) : 0;
  }
  if (!wanted.some((each) => each === type || (type === "number" && (each === "number" || (each === "integer" && Number.isInteger(value)))))) return -1;
  if (type === "array" && value.length && read.items !== undefined) return schemaFit(read.items, value[0], root, depth + 1, work) < 0 ? -1 : 2;
  if (type !== "object") return wanted.includes("integer") ? 2.5 : 2;
  let fit = 2;
  for (const [name, part] of Object.entries(read.properties ?? {}).slice(0, 200)) {
    if (Object.hasOwn(value, name)) {
      const inner = schemaFit(part, value[name], root, depth + 1, work);
      if (inner < 0 && schemaIsObject(part) && Object.hasOwn(part, "const")) return -1;
      fit += inner < 0 ? -0.5 : 1;
    } else if (schemaList(read.required).includes(name)) fit -= 0.5;
  }
  return Math.max(fit, 0);
}
