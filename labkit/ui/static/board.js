// The progress board. Filters work here; Python sends the whole state when an attempt is recorded.

const BOARD_SIGNS = { passed: "✓", "not attempted": "○" };
const BOARD_TONES = { passed: "lk-good", "not attempted": "lk-quiet" };

function boardBar(score, points, label) {
  const bar = h("div", { class: "lk-bar", role: "img", "aria-label": label }, h("span"));
  bar.firstChild.style.width = `${points ? Math.round((100 * score) / points) : 0}%`;
  return bar;
}

function boardStrip(days, streak) {
  const active = days.filter(([, count]) => count).length;
  const label = `Attempts on ${active} of the last ${days.length} days; ${streak} ${streak === 1 ? "day" : "days"} in a row`;
  return h("div", {}, h("div", { class: "lk-strip", role: "img", "aria-label": label },
    days.map(([day, count]) => h("span", { class: count > 3 ? "lk-day lk-day-3" : count ? "lk-day lk-day-1" : "lk-day", title: `${day}: ${count} ${count === 1 ? "attempt" : "attempts"}` }))),
    quiet(`${streak ? `${streak} ${streak === 1 ? "day" : "days"} in a row` : "no streak yet"}; ${active} of the last ${days.length} days`));
}

export default mount((root, panel) => {
  const head = h("h3"), bar = h("div"), books = quiet(""), strip = h("div"), next = h("div", { class: "lk-next" }), list = h("div", { class: "lk-board" });
  const said = h("span", { class: "lk-quiet", role: "status" }), found = h("span", { class: "lk-quiet", role: "status" });
  const search = h("input", { type: "search", placeholder: "name or title", oninput: () => filter() });
  const select = (choices) => h("select", { onchange: () => filter() }, choices.map(([value, text]) => h("option", { value }, text)));
  const status = select([["", "all"], ["todo", "to do"], ["begun", "begun, not passed"], ["passed", "passed"]]);
  const track = select([["", "all"]]);
  let state = null;

  const start = (id) => `ex = lab.exercise("${id}")`;
  function fits(row, name) {
    const want = search.value.trim().toLowerCase();
    return (!track.value || track.value === name) && (!want || `${row.id} ${row.title}`.toLowerCase().includes(want))
      && (status.value === "" || (status.value === "passed") === (row.status === "passed") && (status.value !== "begun" || row.status !== "not attempted"));
  }

  function exercise(row) {
    return h("li", { class: "lk-board-row" },
      h("span", { class: BOARD_TONES[row.status] ?? "lk-warn" }, `${BOARD_SIGNS[row.status] ?? "…"} ${row.status}`),
      h("span", {}, row.title, " ", h("code", { class: "lk-quiet" }, row.id)),
      boardBar(row.score, row.points, `${row.score} of ${row.points} points`),
      h("span", {}, `${row.score}/${row.points}`),
      quiet(row.facts.split(", ").slice(1).join(", ")),
      button("Open", async () => (said.textContent = await insertCell(root, start(row.id))), { "aria-label": `Open ${row.id} in a new cell` }));
  }

  function filter() {
    const free = !search.value.trim() && !status.value;
    let count = 0;
    list.replaceChildren(...state.tracks.map((each) => {
      const rows = each.notebooks.map((book) => ({ book, rows: book.exercises.filter((row) => fits(row, each.name)) }))
        .filter(({ rows }) => rows.length || (free && (!track.value || track.value === each.name)));
      count += rows.reduce((sum, { rows }) => sum + rows.length, 0);
      return rows.length ? h("section", { "aria-label": `Track ${each.name}` }, h("h4", {}, each.name),
        rows.map(({ book, rows }) => h("div", { class: "lk-book" },
          h("div", {}, fileLink(book.notebook, book.open), " ",
            book.done ? h("span", { class: "lk-good" }, "✓ done") : quiet(book.coming ? "still to come" : book.exercises.length ? "" : "no exercise")),
          rows.length ? h("ul", { class: "lk-board-rows" }, rows.map(exercise)) : null))) : null;
    }).filter(Boolean));
    found.textContent = `${count} ${count === 1 ? "exercise" : "exercises"}`;
  }

  function draw(fresh) {
    state = fresh;
    head.textContent = state.headline;
    bar.replaceChildren(boardBar(state.score, state.points, `${state.score} of ${state.points} points`));
    books.textContent = state.notebooks;
    strip.replaceChildren(boardStrip(state.days, state.streak));
    next.replaceChildren(...(state.next
      ? [h("b", {}, "Next: "), state.next.title, " ", h("code", {}, state.next.id), " of ", fileLink(state.next.notebook, state.next.open), " ",
         button("Insert a cell that opens it", async () => (said.textContent = await insertCell(root, start(state.next.id)))), " "]
      : [h("b", {}, "All exercises are passed.")]));
    const chosen = track.value;
    track.replaceChildren(h("option", { value: "" }, "all"), ...state.tracks.map(({ name }) => h("option", { value: name }, name)));
    track.value = chosen;
    filter();
  }

  root.append(head, bar, h("div", { class: "lk-row lk-board-sums" }, books, strip), next, h("div", {}, said),
    h("div", { class: "lk-row lk-act" }, labelled("Find", search), labelled("Status", status), labelled("Track", track), found),
    list);
  panel.on("state", draw);
  panel.ask("state").then(draw, (error) => { said.textContent = error.message; });
});
