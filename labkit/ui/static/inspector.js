// The inspector: a connect form, or a connection with a tab for each kind of thing; what the server asks stands above.

/** The server's questions: a form each. `show(rows)`. */
function insp_questions(panel) {
  const place = h("div", { class: "insp-questions" });
  const drawn = new Map();
  function draw(question) {
    const said = h("div", { role: "status", class: "insp-said lk-bad" });
    const form = question.kind === "elicit" ? schemaForm(question.schema, { label: "what the server asks for" }) : null;
    const text = question.kind === "sample" ? h("textarea", { rows: 3, value: question.proposal }) : null;
    async function reply(action) {
      let content = null;
      said.textContent = "";
      try {
        if (action === "accept") content = form ? form.value() ?? {} : text ? text.value : {};
        const { faults } = await panel.ask("reply", { id: question.id, action, content });
        if (!faults) return;
        form.show(faults);
        form.focusFirstError();
        said.textContent = "Not sent: see the form.";
      } catch (error) { said.textContent = error.message; }
    }
    const title = question.kind === "sample" ? "The server asks the model" : question.kind === "url" ? "The server asks you to open a page" : "The server asks";
    return h("section", { class: "insp-box", "aria-label": title },
      h("h4", {}, title), question.kind === "sample" ? code(question.message) : h("p", {}, question.message),
      question.kind === "url" ? h("p", {}, question.safe ? h("a", { href: question.url, target: "_blank", rel: "noopener noreferrer" }, question.url) : h("code", {}, question.url)) : null,
      form?.root, text ? insp_field("Answer for the model", text) : null,
      h("div", { class: "lk-row" }, button(text ? "Send" : "Accept", () => reply("accept"), { class: "lk-button lk-primary" }),
        button("Decline", () => reply("decline")), text ? null : button("Cancel question", () => reply("cancel"))), said);
  }
  return {
    root: h("div", { "aria-live": "polite" }, place),
    show(rows) {
      for (const [id, root] of drawn) if (!rows.some((row) => row.id === id)) { root.remove(); drawn.delete(id); }
      for (const row of rows) if (!drawn.has(row.id)) { drawn.set(row.id, draw(row)); place.append(drawn.get(row.id)); }
    },
  };
}

export default mount((root, panel) => {
  const live = h("div", { "data-lm-suppress-shortcuts": "true" }, quiet("loading ..."));
  root.append(live);
  let leave = () => {};
  panel.ask("state").then((state) => { leave = insp_draw(live, panel, state); }, (error) => live.replaceChildren(h("p", { class: "lk-bad", role: "alert" }, error.message)));
  return () => leave();
});

function insp_draw(live, panel, state) {
  const said = h("div", { role: "alert", class: "lk-bad insp-said" });
  const app = {
    history: new Map(state.history.map((line) => [line.id, line])), subscriptions: state.subscriptions, choices: state.choices,
    all_lists: state.all_lists, facts: state.connection,
    can: (what) => app.facts.can?.includes(what) ?? false,
    modern: () => (app.facts.era ?? "") >= "2026",
    fail: (error) => { if (!error.cancelled) said.textContent = error.message; },
    say: (promise) => { said.textContent = ""; promise.catch(app.fail); },
    last: (kind, name) => [...app.history.values()].filter((line) => line.kind === kind && line.name === name).sort((a, b) => b.id - a.id)[0],
    load: (id) => panel.ask("entry", { id }),
    watch: (what) => app.say(panel.ask(app.subscriptions.includes(what) ? "unsubscribe" : "subscribe", { what })),
    open(kind, name) { all.select(insp_tab(kind)); return browsers[insp_tab(kind)].select(kind, name); },
    /** The same call once more; when its arguments no longer fit, they are in the form, marked. */
    run(entry) {
      const page = app.open(entry.kind, entry.name);
      if (!page) { app.fail(new Error(`The server has no ${entry.name} any more.`)); return; }
      page.fill(entry.arguments);
      page.focus();
      page.send(entry.arguments, entry.anyway);
    },
    edit(entry) {
      const page = app.open(entry.kind, entry.name);
      if (page) { page.fill(entry.arguments); page.root.querySelector("input, textarea, select, button")?.focus(); } else app.fail(new Error(`The server has no ${entry.name} any more.`));
    },
    read(uri) {
      const page = app.open("resource", uri);
      if (page) page.send({}, false); else app.say(panel.ask("call", { kind: "resource", name: uri }));
    },
  };
  const connect = insp_connect(panel, state.choices), headline = insp_headline(panel, app), questions = insp_questions(panel);
  const browsers = { Tools: insp_browser(panel, app, "Tools"), Resources: insp_browser(panel, app, "Resources"), Prompts: insp_browser(panel, app, "Prompts") };
  const events = insp_events(panel, app), log = insp_log(), history = insp_history(panel, app), wire = timelineView(panel, { height: 280 });
  const all = tabs([
    ...Object.entries(browsers).map(([name, { root }]) => ({ name, pane: root })),
    { name: "Events", pane: events.root }, { name: "Wire", pane: wire.root }, { name: "Server log", pane: log.root },
    { name: "History", pane: history.root, shown: () => history.shown() },
  ], "what to look at");
  const connected = h("div", {}, headline.root, questions.root, all.root);
  live.replaceChildren(connect.root, connected, said);

  function show_facts(facts) {
    app.facts = facts;
    connect.root.hidden = facts.there;
    connected.hidden = !facts.there;
    connect.show(facts);
    if (facts.there) headline.show(facts);
    show_subscriptions(app.subscriptions);
  }
  function show_lists(lists) {
    const of = (kind, items) => items.map((item) => ({ kind, ...item }));
    const kinds = { Tools: of("tool", lists.tools), Resources: [...of("resource", lists.resources), ...of("template", lists.templates)], Prompts: of("prompt", lists.prompts) };
    for (const [name, items] of Object.entries(kinds)) { browsers[name].set(items); all.badge(name, items.length); }
    show_subscriptions(app.subscriptions);
  }
  function show_subscriptions(keys) {
    app.subscriptions = keys;
    events.watching(keys);
    for (const line of state.lists.resources) browsers.Resources.page("resource", line.name)?.watching(keys, app.can("subscribe"));
  }
  function show_events({ rows, fresh }) {
    all.badge("Events", events.add(rows, fresh) || "");
    log.messages(rows, fresh);
  }
  panel.on("connection", (facts) => { said.textContent = ""; show_facts(facts); });
  panel.on("lists", (lists) => { state.lists = lists; show_lists(lists); });
  panel.on("subscriptions", ({ keys }) => show_subscriptions(keys));
  panel.on("events", show_events);
  panel.on("stderr", (lines) => all.badge("Server log", log.add(lines) || ""));
  panel.on("questions", ({ rows }) => questions.show(rows));
  panel.on("progress", ({ id, ...progress }) => { const line = app.history.get(id); if (line) browsers[insp_tab(line.kind)].page(line.kind, line.name)?.progress(progress); });
  panel.on("trouble", app.fail);
  panel.on("gone", () => show_facts({ ...app.facts, connecting: false }));
  panel.on("forget", () => {
    app.history.clear();
    for (const browser of Object.values(browsers)) browser.leave();
    history.forget();
    all.badge("History", "");
  });
  panel.on("entry", (entry) => {
    const { answer, ...line } = entry;
    app.history.set(entry.id, line);
    for (const id of [...app.history.keys()].sort((a, b) => a - b).slice(0, -100)) app.history.delete(id);
    all.badge("History", app.history.size);
    browsers[insp_tab(entry.kind)].page(entry.kind, entry.name)?.show(entry);
    history.heard(entry);
  });
  show_facts(state.connection);
  show_lists(state.lists);
  show_events({ rows: state.events, fresh: true });
  all.badge("Server log", log.add(state.stderr) || "");
  all.badge("History", app.history.size || "");
  questions.show(state.questions);
  const latest = [...app.history.keys()].sort((a, b) => b - a)[0];
  if (latest !== undefined && state.connection.there) { const line = app.history.get(latest); browsers[insp_tab(line.kind)].select(line.kind, line.name); }
  return () => { wire.dispose?.(); for (const browser of Object.values(browsers)) browser.leave(); };
}

const insp_tab = (kind) => ({ tool: "Tools", prompt: "Prompts" })[kind] ?? "Resources";
