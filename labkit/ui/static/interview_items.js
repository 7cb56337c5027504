// The parts of a mock interview: the learner's own words with what was found in them, a model answer, a kata, a result.

/** A clock as minutes and seconds. */
const interviewClock = (seconds) => {
  const whole = Math.floor(Math.abs(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

function interviewDots(dots) {
  return dots.map((dot, at) => {
    const sign = dot.current ? "→" : { open: "○", done: "✓", skipped: "–" }[dot.status];
    const words = [dot.kind, `${dot.minutes} min`, dot.status === "skipped" ? "skipped" : dot.result || (dot.current ? "now" : dot.status === "open" ? "to come" : "done")].join(", ");
    return h("li", { class: `lk-dot lk-dot-${dot.current ? "current" : dot.status}`, "aria-current": dot.current ? "step" : null, title: `${at + 1}. ${words}` },
      h("span", { "aria-hidden": "true" }, sign, " ", dot.kind, dot.result ? ` ${dot.result}` : ""), h("span", { class: "lk-hidden-label" }, `${at + 1}. ${words}`));
  });
}

/** The answer; what makes a point, or sounds like a wrong claim, is marked with its number. */
function interviewAnswer(parts) {
  return h("p", { class: "lk-answer", tabindex: "0", role: "region", "aria-label": "Your answer, with what was found in it" }, parts.map((part) => {
    if (!part.seen.length && !part.wrong.length) return part.text;
    const words = [part.seen.length ? `makes point ${part.seen.join(", ")}` : "", part.wrong.length ? `sounds like wrong claim ${part.wrong.join(", ")}` : ""].filter(Boolean).join("; ");
    return h("mark", { class: part.wrong.length ? "lk-mark-wrong" : "lk-mark-seen", title: words }, part.text,
      h("sup", { "aria-hidden": "true" }, [...part.seen, ...part.wrong.map((number) => `!${number}`)].join(" ")), h("span", { class: "lk-hidden-label" }, ` (${words}) `));
  }));
}

const interviewPoint = (tone, sign, ...rest) => h("li", { class: "lk-point" }, h("span", { class: tone }, sign), h("div", {}, rest));

function interviewScore(score, how) {
  return h("div", {}, interviewAnswer(score.answer),
    h("ul", { class: "lk-points", "aria-label": "Points" },
      score.seen.map((each, at) => interviewPoint(each.part ? "lk-note" : "lk-good", each.part ? `½ ${at + 1} in part` : `✓ ${at + 1} seen`, each.point, quiet(` weight ${each.weight}`), each.named ? h("div", { class: "lk-warn" }, "only named: it counts less") : null)),
      score.missed.map((each) => interviewPoint("lk-bad", "✗ missed", each.point, quiet(` weight ${each.weight}`))),
      score.wrong.map((each, at) => interviewPoint("lk-warn", `! ${at + 1} sounds like`, h("q", {}, each.says), h("div", {}, "Why that is wrong: ", each.why)))),
    score.notes.map((note) => h("p", { class: "lk-quiet" }, note)), score.judged ? h("p", { class: "lk-note" }, score.judged) : null,
    h("p", { class: "lk-quiet lk-how" }, how));
}

function interviewModel(item) {
  return h("div", {}, h("h4", {}, "A model answer"),
    h("ul", { class: "lk-model" }, item.model.map((each) => h("li", {}, each.says, each.shown ? h("div", { class: "lk-quiet" }, each.shown, " ", fileLink(each.file, each.open)) : null))),
    h("p", {}, h("b", {}, "Eras: "), item.era),
    h("p", {}, h("b", {}, "An interviewer goes on with:")), h("ul", {}, item.follow_ups.map((each) => h("li", {}, each))),
    h("p", { class: "lk-quiet" }, "Taught in ", fileLink(item.notebook.file, item.notebook.open), item.spec.length ? `; specification: ${item.spec.join(", ")}` : ""));
}

/** A question: `submit(text)`; the text is kept in this browser until it is answered, so that no restart takes it. */
function interviewQuestion(item, submit) {
  const kept = `labkit-${item.key}`;
  const keep = (text) => { try { text ? localStorage.setItem(kept, text) : localStorage.removeItem(kept); } catch { /* no storage: nothing is kept */ } };
  let before = "";
  try { before = localStorage.getItem(kept) ?? ""; } catch { /* likewise */ }
  const ask = h("h4", { class: "lk-ask-title", tabindex: "-1" }), hints = h("ul", { class: "lk-hints-list", "aria-label": "Hints" });
  const text = h("textarea", { class: "lk-own-words", rows: "8", "aria-label": "Your answer", placeholder: "Answer as you would speak. Ctrl+Enter answers.", value: before, oninput: () => keep(text.value) });
  const send = () => submit(text.value);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    event.stopPropagation();
    send();
  });
  const write = h("div", {}, text), after = h("div");
  const sum = h("h4", { tabindex: "-1" });
  let drawn = "";
  return {
    root: h("div", {}, ask, hints, write, after),
    send,
    focus() { (write.hidden ? sum : text).focus(); },
    update(now) {
      ask.textContent = now.ask;
      hints.replaceChildren(...now.hints.map((hint) => h("li", {}, hint)));
      write.hidden = now.status !== "open";
      const told = JSON.stringify([now.model, now.score]);
      if (write.hidden && told !== drawn) {
        drawn = told;
        keep("");
        sum.textContent = now.score ? now.score.headline : "Skipped";
        after.replaceChildren(sum, now.score ? interviewScore(now.score, now.how) : "", interviewModel(now));
      }
    },
  };
}

/** A kata or a tape: task, file, checks. */
function interviewExercise(root) {
  const title = h("h4", { class: "lk-ask-title", tabindex: "-1" }), task = h("div", { class: "lk-prose" }), where = h("div", { class: "lk-row" }), done = quiet("");
  done.setAttribute("role", "status");
  const headline = h("strong", { tabindex: "-1" }), note = h("p", { class: "lk-warn" }), checks = h("ul", { class: "lk-checks", "aria-label": "Checks" }), hints = h("div", { class: "lk-hints", role: "log", "aria-label": "Hints" }), after = h("div", { class: "lk-prose" });
  let drawn = "", cell = "";
  const write = h("div", { class: "lk-write", hidden: true }, where, h("div", { class: "lk-row" }, button("Insert it as a cell below", async () => (done.textContent = await insertCell(root, cell))), done));
  return {
    root: h("div", {}, title, task, write, headline, note, checks, after, hints),
    focus() { title.focus(); },
    update(now, checking) {
      title.textContent = now.title;
      write.hidden = !now.task;
      if (!now.task) return;
      const same = JSON.stringify([now.task, now.file, now.open]);
      if (same !== drawn) {
        drawn = same;
        task.replaceChildren(...proseNodes(now.task));
        where.replaceChildren("Write in ", fileLink(now.file, now.open), " and save, then check here. A check in a cell does not count for the session.");
      }
      cell = now.cell;
      headline.textContent = checking ? "Checking your answer ..." : now.headline;
      note.textContent = now.note;
      note.hidden = !now.note;
      checks.setAttribute("aria-busy", String(checking));
      checks.replaceChildren(...now.checks.map(cardCheck));
      after.replaceChildren(...proseNodes(now.afterword));
      hints.replaceChildren(...now.hints.map(([number, nodes]) => h("div", { class: "lk-hint" }, h("b", {}, `Hint ${number}`), h("div", { class: "lk-prose" }, proseNodes(nodes)))));
    },
  };
}

/** The design case: the brief beside the clinic's form. `ask(name)` asks Python. */
function interviewDesign(ask) {
  const title = h("h4", { class: "lk-ask-title", tabindex: "-1" }), brief = h("div", { tabindex: "0", role: "region", "aria-label": "The brief" }), place = h("div", {}, quiet("Reading the brief ..."));
  const lines = h("ul", { "aria-label": "What the rules say" }), sum = h("h4", { tabindex: "-1" }), both = h("div", { class: "lk-columns lk-interview-design" }, brief, place);
  let form = null, asked = false, decided = false;
  return {
    root: h("div", {}, title, both, sum, lines),
    value: () => form?.value(),
    focus() { (decided ? sum : title).focus(); },
    update(now) {
      title.textContent = now.title;
      decided = now.status !== "open";
      sum.hidden = !decided;
      sum.textContent = now.result ? `The rules of the clinic: ${now.result} of the rubric` : "";
      lines.replaceChildren(...now.lines.map((line) => h("li", { class: "lk-answer" }, line)));
      place.hidden = decided;
      if (asked || now.covered) return;
      asked = true;
      ask("brief").then((found) => {
        brief.replaceChildren(...briefNodes(found));
        form = schemaForm(found.schema, { value: found.decision, label: "decision" });
        place.replaceChildren(form.root);
      }, (error) => place.replaceChildren(h("p", { class: "lk-bad" }, error.message)));
    },
  };
}

function interviewResult(root, result, done) {
  return h("div", {}, h("h4", { tabindex: "-1", class: "lk-result" }, `Result: ${result.headline}`),
    table(result.topics.map((row) => ({ topic: row.topic, items: row.items, skipped: row.skipped, result: `${Math.round(100 * row.result)}%` })), null, "By topic"),
    h("h4", {}, "What to study next"),
    result.study.length ? h("ol", { class: "lk-study", "aria-label": "What to study next" }, result.study.map((each) => h("li", {}, `${each.kind} `, h("b", {}, each.title), " ", fileLink(each.file, each.open), " ",
      each.start ? button("Insert a cell that opens it", async () => (done.textContent = await insertCell(root, each.start)), { "aria-label": `Insert a cell that opens ${each.title}` }) : null,
      each.why.length ? h("ul", { class: "lk-quiet" }, each.why.map((why) => h("li", {}, why))) : null))) : h("p", { class: "lk-good" }, "Nothing was missed."),
    result.more ? quiet(`${result.more} more in the report.`) : null, h("p", { class: "lk-quiet lk-how" }, result.how));
}
