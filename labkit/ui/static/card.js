// The exercise card. Python sends its whole state at each change; the parts that a learner may be using stay in place.

export default mount((root, panel) => {
  const title = h("h3"), facts = h("div", { class: "lk-quiet" }), task = h("div", { class: "lk-prose" }), goals = h("ul");
  const where = h("span"), cell = h("pre", { class: "lk-code", tabindex: "0", "aria-label": "The cell, with what is in the file" }), done = h("span", { class: "lk-quiet", role: "status" });
  const status = h("strong", { class: "lk-card-headline" }), record = h("span", { class: "lk-quiet" }), note = h("p", { class: "lk-warn" }), said = h("p", { class: "lk-quiet" });
  const checks = h("ul", { class: "lk-checks", "aria-label": "Checks" }), after = h("div", { class: "lk-prose" });
  const hints = h("div", { class: "lk-hints", role: "log", "aria-label": "Hints" }), solution = h("div");
  let text = "", now = "", last = null;
  /** Do something with the cell, which is there once Python has answered; a click may come before. */
  const give = async (act) => {
    await first;
    if (text) done.textContent = await act(text);
  };
  const ask = (name) => panel.ask(name).catch((error) => { said.textContent = error.message; });
  const run = button("Check", unlessIdle(() => ask("check")), { class: "lk-button lk-primary" });
  const hint = button("Hint", unlessIdle(() => ask("hint")));
  const solve = cardAsk("Solution", "It will be noted that you looked before passing.", "Show it", () => ask("solution"));
  const reset = cardAsk("Start again", "Put the starter back? What you wrote is kept in backups/.", "Put it back", () => ask("reset"));

  function draw(state) {
    last = state;
    title.textContent = state.title;
    facts.textContent = state.facts;
    const same = JSON.stringify([state.task, state.objectives, state.file, state.open]);
    if (same !== now) {
      now = same;
      task.replaceChildren(...proseNodes(state.task));
      goals.replaceChildren(...state.objectives.map((goal) => h("li", {}, goal)));
      where.replaceChildren("Write in ", fileLink(state.file, state.open), " and save, or in a cell that begins with ", h("code", {}, `%%exercise ${state.id}`), ".");
      cell.textContent = text = state.cell;
    }
    idle(run, state.checking);
    run.textContent = state.checking ? "Checking ..." : "Check";
    status.className = `lk-card-headline ${state.checking ? "" : CARD_TONES[state.outcome] ?? ""}`;
    status.textContent = state.checking ? "Checking your answer ..." : state.headline;
    record.textContent = state.record;
    note.textContent = state.note;
    note.hidden = !state.note;
    said.textContent = state.said;
    checks.setAttribute("aria-busy", String(state.checking));
    checks.replaceChildren(...state.checks.map(cardCheck));
    after.replaceChildren(...proseNodes(state.afterword));
    hints.replaceChildren(...state.hints.map(([number, nodes]) => h("div", { class: "lk-hint" }, h("b", {}, `Hint ${number}`), h("div", { class: "lk-prose" }, proseNodes(nodes)))));
    hint.textContent = state.hints_left ? `Hint (${state.hints_left} left)` : "No more hints";
    idle(hint, !state.hints_left);
    solution.replaceChildren(...(state.solution ? [h("h4", {}, state.solution.text), code(state.solution.code), h("div", { class: "lk-prose" }, proseNodes(state.solution.after))] : []));
  }

  root.append(
    title, facts, task,
    h("details", { class: "lk-fold" }, h("summary", {}, "After it you can"), goals),
    h("div", { class: "lk-write" }, h("div", { class: "lk-row" }, where),
      h("details", { class: "lk-fold" }, h("summary", {}, "The cell, with what is in the file"), cell),
      h("div", { class: "lk-row" },
        button("Insert this cell below", () => give((cell) => insertCell(root, cell))),
        button("Copy it", () => give(copyText)), done)),
    h("div", { class: "lk-row lk-act" }, run, hint, solve.root, reset.root),
    h("div", { class: "lk-row", role: "status" }, status, record),
    note, said, checks, after, hints, solution);
  panel.on("state", draw);
  panel.on("gone", () => { if (last?.checking) draw({ ...last, checking: false }); });
  const first = panel.ask("state").then(draw, (error) => { said.textContent = error.message; });
});
