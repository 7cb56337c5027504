// Two tapes in two columns, aligned by what their frames do. Needs timeline.js for the list. Python half: labkit/ui/compare.py.

function cp_side(frame) {
  return h("span", { class: `cp-side${frame ? "" : " lk-quiet"}` }, frame ? `${frame.sent ? "→" : "←"} ${frame.label} ` : "—", frame ? h("span", { class: "lk-quiet" }, size_text(frame.size)) : null);
}

function cp_value(text, word) {
  return h("td", {}, text === "" ? h("span", { class: "lk-quiet" }, word) : h("code", {}, text));
}

/** What is in the pair that is open: the differences by member, then both frames. */
function cp_details(names) {
  const root = h("div", { class: "tl-details cp-details", role: "region", "aria-label": "Open pair", tabindex: "0" });
  const frame_text = (details, name) => {
    const frame = tl_frame(details.row), headers = Object.entries(details.headers).map(([key, value]) => `${key}: ${value}\n`).join("");
    return h("details", {}, h("summary", {}, `Frame ${frame.n} of ${name}, ${size_text(frame.size)}`), details.note ? h("p", {}, details.note) : null,
      code(`${frame.status === null ? "" : `HTTP ${frame.status}\n`}${headers}${headers ? "\n" : ""}${details.pretty}`));
  };
  return {
    root,
    empty() { root.replaceChildren(quiet("Choose a pair: click it, or Enter on it.")); },
    fail(text) { root.replaceChildren(h("p", { class: "lk-bad", role: "alert" }, text)); },
    show(pair, found, word) {
      const title = tl_frame((found.left ?? found.right).row).label;
      const rows = found.differences.map(([path, left, right]) => h("tr", {}, h("th", { scope: "row" }, h("code", {}, path)), cp_value(left, "not there"), cp_value(right, "not there")));
      root.replaceChildren(h("h4", {}, `${title}: ${word}`),
        rows.length ? h("table", { class: "lk-table cp-table" }, h("thead", {}, h("tr", {}, ["member", ...names].map((name) => h("th", { scope: "col" }, name)))), h("tbody", {}, rows))
          : h("p", { class: "lk-quiet" }, found.left && found.right ? "Every member is the same, but for the JSON-RPC id." : "The other side has no such frame at this place."),
        found.left ? frame_text(found.left, names[0]) : "", found.right ? frame_text(found.right, names[1]) : "");
      root.scrollTop = 0;
    },
  };
}

function compareView(panel, { height = 300 } = {}) {
  const summary = h("div", { class: "tl-caption" }, quiet("loading …")), notes = h("div", {}), status = h("div", { role: "status", class: "tl-status lk-quiet" });
  const root = h("div", { class: "tl cp" }, summary, notes);
  const body = h("div", { class: "tl" });
  root.append(body);
  let gone = false, open_at = -1, list = null;
  const load = () => panel.ask("pairs").then((answer) => { if (!gone) draw(answer); }, (error) => (error.message || !list) && summary.replaceChildren(h("span", { class: "lk-bad", role: "alert" }, error.message)));
  load();

  function draw(answer) {
    const pairs = answer.pairs.map(([mark, left, right], at) => ({ at, mark, left: left && tl_frame(left), right: right && tl_frame(right) }));
    const details = cp_details(answer.names), filters = body.querySelectorAll("input, select"), [wanted_text, wanted_show] = [...filters].map((field) => field.value);
    list?.dispose();
    details.root.style.height = `${height}px`;
    details.empty();
    list = tl_list({
      label: "Pairs of frames", height,
      paint(row, pair) { row.dataset.mark = pair.mark; row.replaceChildren(h("span", { class: "cp-mark" }, answer.words[pair.mark]), " ", cp_side(pair.left), " ", cp_side(pair.right)); },
      async open(pair) {
        open_at = pair.at;
        try { const found = await panel.ask("pair", { at: pair.at }); if (!gone && open_at === pair.at) details.show(pair, found, answer.words[pair.mark]); } catch (error) { if (!gone) details.fail(error.message); }
      },
    });
    const text = h("input", { type: "search", placeholder: "method or name", "aria-label": "Text", oninput: () => filter() });
    const show = h("select", { "aria-label": "Show", onchange: () => filter() }, [["", "all pairs"], ["different", "only differences"], ...Object.entries(answer.words)].map(([value, word]) => h("option", { value }, word)));
    function filter() {
      const wanted = text.value.trim().toLowerCase();
      const fits = pairs.filter((pair) => (!show.value || (show.value === "different" ? pair.mark !== "same" : pair.mark === show.value))
        && (!wanted || [pair.left, pair.right].some((frame) => frame?.label.toLowerCase().includes(wanted))));
      list.show(fits);
      status.textContent = `${fits.length === pairs.length ? "All" : `${fits.length.toLocaleString("en")} of`} ${tl_many(pairs.length, "pair")}${answer.more ? `, ${answer.more.toLocaleString("en")} more in .diff.table()` : ""}`;
    }
    summary.textContent = answer.summary;
    notes.replaceChildren(...answer.notes.map((note) => h("p", { class: "lk-warn" }, note)));
    text.value = wanted_text ?? "";
    show.value = wanted_show ?? "";
    const anew = button("Compare again", () => load().then(() => body.querySelector("button").focus()), { title: "The tapes may have grown" });
    body.replaceChildren(h("div", { class: "lk-row tl-filters", role: "search", "aria-label": "Filter pairs" }, text, show, anew), status,
      h("div", { class: "cp-head" }, h("span", { class: "cp-mark" }, "compared"), answer.captions.map((each) => h("span", { class: "cp-side" }, each))), list.root, details.root);
    filter();
  }
  return { root, dispose() { gone = true; list?.dispose(); } };
}

export default mount((root, panel) => {
  const view = compareView(panel, { height: panel.model.get("height") });
  root.append(view.root);
  return view.dispose;
});
