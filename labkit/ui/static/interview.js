// A mock interview. Python sends its whole state at each step; here the clock runs, and what a person writes stays in place.

export default mount((root, panel) => {
  const title = h("h3", {}, panel.model.get("label")), where = quiet(""), left = h("span", { class: "lk-timer", role: "timer", "aria-label": "Time left" }), spent = h("span", { class: "lk-quiet", role: "timer", "aria-label": "Time on this item" });
  const dots = h("ol", { class: "lk-dots", "aria-label": "Items" }), body = h("div", { class: "lk-interview-item" }), cover = h("p", { class: "lk-cover" }), facts = quiet("");
  const said = h("p", { role: "alert", class: "lk-bad" }), told = h("p", { class: "lk-quiet", role: "status" }), done = h("span", { class: "lk-quiet", role: "status" });
  let state = null, base = null, board = null, key = "", shown = "";

  /** Ask for a step; afterwards the keyboard is where one goes on. */
  async function step(name, params = {}, then = null) {
    said.textContent = "";
    try { await panel.ask(name, params); } catch (error) { said.textContent = error.message; return; }
    then?.();
  }
  const onward = () => (state?.result ? body.querySelector(".lk-result") : state?.item && !state.item.covered ? board : null)?.focus();

  const pause = button("Pause", () => step(state.state === "running" ? "pause" : "resume", {}, () => (state.state === "running" ? onward() : pause.focus())));
  const finish = cardAsk("Finish", "End the session here? What is open stays without a result.", "End it", () => step("finish", {}, onward));
  const answer = button("Answer", unlessIdle(() => board.send()), { class: "lk-button lk-primary", title: "Ctrl+Enter" });
  const check = button("Check", unlessIdle(() => step("check")), { class: "lk-button lk-primary" });
  const decide = button("Decide", unlessIdle(() => {
    let answers;
    try { answers = board.value(); } catch { return; }  // the form has shown why
    if (answers !== undefined) step("decide", { answers }, onward);
  }), { class: "lk-button lk-primary" });
  const hint = button("Hint", unlessIdle(() => step("hint")));
  const skip = cardAsk("Skip", "Leave this item without a result?", "Skip it", () => step("skip", {}, onward));
  const next = button("Next", unlessIdle(() => step("next", {}, onward)), { class: "lk-button lk-primary" });
  const report = button("Write the report", unlessIdle(() => step("report"))), written = h("span");
  const reload = button("Load it here", () => step("reload", {}, () => pause.focus()));
  const acts = h("div", { class: "lk-row lk-act" }, answer, check, decide, next, hint, skip.root);
  const end = h("div", { class: "lk-row lk-act" }, report, written, done);

  function tick() {
    if (!base) return;
    const gone = base.running ? (performance.now() - base.at) / 1000 : 0, rest = base.left - gone;
    left.textContent = rest < 0 ? `${interviewClock(rest)} over time` : `${interviewClock(rest)} left`;
    left.classList.toggle("lk-bad", rest < 0);
    spent.textContent = base.planned ? `${interviewClock(base.spent + gone)} of ${interviewClock(base.planned)} on this item` : "";
    spent.classList.toggle("lk-warn", base.planned > 0 && base.spent + gone > base.planned);
  }
  const setClock = (clock) => { base = { ...clock, at: performance.now() }; tick(); };

  function newBoard(item) {
    if (item.kind === "question") return interviewQuestion(item, (text) => step("answer", { text }, onward));
    if (item.kind === "design") return interviewDesign((name) => panel.ask(name));
    return interviewExercise(root);
  }

  function drawItem(item) {
    cover.hidden = !item?.covered;
    body.hidden = !!item?.covered;
    facts.textContent = item ? [item.kind, item.topic, item.level, `${item.minutes} min`].filter(Boolean).join(" · ") : "";
    const open = item?.status === "open" && !item.covered && !state.moved, left = item && !open && !item.covered && !state.moved;
    answer.hidden = !(open && item.kind === "question");
    check.hidden = !(open && (item.kind === "kata" || item.kind === "tape"));
    decide.hidden = !(open && item.kind === "design");
    next.hidden = !(left || (open && item.result));
    next.textContent = state.last ? "To the result" : open ? "Leave it as it is, next" : "Next";
    idle(next, state.state === "paused");
    hint.hidden = skip.root.hidden = !open;
    idle(check, state.checking);
    check.textContent = state.checking ? "Checking ..." : "Check";
    const hints = item?.hints_left;
    hint.textContent = hints === undefined ? "Hint" : hints ? `Hint (${hints} left)` : "No more hints";
    idle(hint, hints === 0);
    acts.hidden = !item || (!open && !left);
    if (!item || item.covered) return;
    if (item.key !== key) {
      key = item.key;
      board = newBoard(item);
      body.replaceChildren(board.root);
    }
    board.update(item, state.checking);
  }

  function draw(fresh) {
    state = fresh;
    where.textContent = `${fresh.place} · ${fresh.moved ? "went on elsewhere" : fresh.state}`;
    setClock(fresh.clock);
    dots.replaceChildren(...interviewDots(fresh.dots));
    pause.hidden = finish.root.hidden = fresh.state === "finished" || fresh.moved;
    pause.textContent = fresh.state === "running" ? "Pause" : "Resume";
    pause.className = fresh.state === "running" ? "lk-button" : "lk-button lk-primary";
    reload.hidden = !fresh.moved;
    told.textContent = fresh.said;
    cover.textContent = "Paused. The clock stands, and the item is covered until you resume.";
    drawItem(fresh.item);
    end.hidden = !fresh.result;
    if (fresh.result && JSON.stringify(fresh.result) !== shown) {
      shown = JSON.stringify(fresh.result);
      key = "";
      body.replaceChildren(interviewResult(root, fresh.result, done));
    }
    written.replaceChildren(...(fresh.report.file ? ["Written to ", fileLink(fresh.report.file, fresh.report.open), "."] : []));
    if (!beating) beating = setInterval(beat, 1000 * fresh.beat);
  }

  let beating = 0;
  const beat = () => { if (base?.running) panel.ask("beat").then(setClock, (error) => { said.textContent = error.message; }); };
  const ticking = setInterval(tick, 500);

  root.append(
    h("div", { class: "lk-row lk-interview-head" }, title, h("div", { class: "lk-row" }, left, pause, finish.root, reload)),
    h("div", { class: "lk-row lk-interview-head" }, where, spent), dots, facts, cover, body, acts, end, told, said);
  const stop = () => { clearInterval(ticking); clearInterval(beating); };
  panel.on("state", draw);
  panel.on("gone", () => { stop(); if (state?.checking) { state.checking = false; drawItem(state.item); } });
  panel.ask("state").then(draw, (error) => { said.textContent = error.message; });
  return stop;
});
