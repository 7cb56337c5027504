// What a brief of the architecture clinic says, for the clinic and for the design case of an interview.

function briefNodes(found) {
  return [h("p", {}, found.company), h("p", {}, h("b", {}, found.asks)),
    // No dl: JupyterLab styles dt and dd itself.
    h("ul", { class: "lk-facts" }, found.facts.map(([label, text]) => h("li", {}, h("span", { class: "lk-quiet" }, label), h("span", {}, text)))),
    table(found.families, null, "Tools")];
}
