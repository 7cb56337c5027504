// What a brief of the architecture clinic says, for the clinic and for the design case of an interview.

/** A text of a brief: what stands between backticks is code. */
const briefText = (text) => text.split(/`([^`]+)`/).map((part, at) => (at % 2 ? h("code", {}, part) : part));

function briefNodes(found) {
  return [h("p", {}, briefText(found.company)), h("p", {}, h("b", {}, briefText(found.asks))),
    // No dl: JupyterLab styles dt and dd itself.
    h("ul", { class: "lk-facts" }, found.facts.map(([label, text]) => h("li", {}, h("span", { class: "lk-quiet" }, label), h("span", {}, briefText(text))))),
    table(found.families, null, "Tools")];
}
