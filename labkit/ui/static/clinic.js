// The architecture clinic: the brief, the form of the decision, findings, rubric and the miniature. Python half: labkit/ui/clinic.py.

function clinicFindings(rows) {
  return h("ul", { class: "lk-findings", "aria-label": "Findings" }, rows.map((row) => h("li", {},
    h("span", { class: row[""] === "error" ? "lk-bad" : "lk-warn" }, row[""] === "error" ? "✗ error" : "! warning"),
    h("div", {}, h("div", {}, row.what), h("div", { class: "lk-quiet" }, row["why it matters"]), h("div", { class: "lk-quiet" }, `${row.rule}; ${row.taught}`)))));
}

export default mount((root, panel) => {
  const brief = h("div", { class: "lk-brief", tabindex: "0", role: "region", "aria-label": "The brief" }), place = h("div", { class: "lk-decide" });
  const said = h("div", { class: "lk-bad", role: "alert" }), guide = h("pre", { class: "lk-code", tabindex: "0", "aria-label": "What the guide says" });
  const status = h("strong", { role: "status" }), rubric = h("div", { class: "lk-rubric" }), findings = h("div");
  const measured = h("div", { class: "lk-measured" }), consequences = h("ul", { class: "lk-consequences", "aria-label": "Consequences" }), picture = h("img", { alt: "Lost calls over time, and p95 against what is promised", hidden: true });
  let form = null, asking = false, shown = "", own = false, last = null;

  async function ask(name) {
    let answers;
    said.textContent = "";
    try { answers = form.value(); } catch { return; }  // the form has shown why
    asking = true;
    try { await panel.ask(name, { answers }); } catch (error) { said.textContent = error.message; } finally { asking = false; }
  }
  const check = button("Check", unlessIdle(() => ask("check")), { class: "lk-button lk-primary" });
  const run = button("Run in miniature", unlessIdle(() => ask("run")));
  const tell = button("What the guide says", unlessIdle(() => panel.ask("guide").catch((error) => { said.textContent = error.message; })));

  function draw(state) {
    last = state;
    for (const each of [check, run]) idle(each, state.running);
    run.textContent = state.running ? "Running ..." : "Run in miniature";
    status.textContent = state.running ? "Calls are being made, and a process will be killed ..." : state.headline;
    rubric.replaceChildren(state.rubric.length ? table(state.rubric, null, "Rubric") : "");
    findings.replaceChildren(state.findings.length ? clinicFindings(state.findings) : state.rubric.length ? h("p", { class: "lk-good" }, "No rule is broken.") : "");
    measured.replaceChildren(...(state.summary ? [h("h4", {}, "In miniature"), h("p", {}, state.summary), table(state.measured, null, "Measured")] : []));
    consequences.replaceChildren(...state.consequences.map(([good, text]) => h("li", { class: good ? "lk-good" : "lk-bad" }, `${good ? "✓" : "✗"} ${text}`)));
    picture.hidden = !state.picture;
    if (state.picture && picture.src !== state.picture) picture.src = state.picture;
    guide.textContent = state.said;
    guide.hidden = !state.said;
    if (form && JSON.stringify(state.decision) !== shown) { shown = JSON.stringify(state.decision); if (!own) form.set(state.decision); }
  }
  // What a person is filling in stays when the answers come back; what a cell decided is taken over.
  const fresh = (state) => { own = asking || place.contains(document.activeElement); draw(state); };

  root.append(h("div", { class: "lk-columns lk-clinic" }, brief, h("div", {}, place, h("div", { class: "lk-row lk-act" }, check, run, tell), said)),
    status, rubric, findings, measured, consequences, picture, guide);
  panel.on("state", fresh);
  panel.on("gone", () => { if (last?.running) draw({ ...last, running: false }); });
  const failed = (error) => { said.textContent = error.message; };
  panel.ask("brief").then((found) => {
    brief.replaceChildren(h("h3", {}, briefText(found.title)), ...briefNodes(found));
    return panel.ask("state").then((state) => {
      shown = JSON.stringify(state.decision);
      form = schemaForm(found.schema, { value: state.decision, label: "decision" });
      place.replaceChildren(form.root);
      draw(state);
    });
  }).catch(failed);
});
