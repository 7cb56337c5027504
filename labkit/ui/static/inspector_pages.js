// The lists of tools, resources and prompts, and the page of each: what it is, its form, the call, its answer.

const INSP_VERBS = { tool: "Call", resource: "Read", template: "Read", prompt: "Get" };

/** A tab: a list to choose from at the left, the page of what is chosen at the right. */
function insp_browser(panel, app, what) {
  const find = h("input", { type: "search", placeholder: "filter", "aria-label": `filter ${what}` });
  const list = h("div", { class: "insp-list", role: "group", "aria-label": what });
  const place = h("div", { class: "insp-page" });
  const pages = new Map();
  let items = [], current = null;
  const key = (item) => `${item.kind} ${item.name}`;

  function draw() {
    const wanted = find.value.toLowerCase();
    const seen = items.filter((item) => `${item.name} ${item.title}`.toLowerCase().includes(wanted));
    insp_refill(list, ...seen.slice(0, 300).map((item) => h("button", {
      type: "button", class: "insp-item", dataset: { key: key(item) }, "aria-current": key(item) === current ? "true" : null, onclick: () => select(key(item)),
    }, h("span", {}, item.name), item.title && item.title !== item.name ? quiet(` ${item.title}`) : "")),
      seen.length > 300 ? quiet(`... ${seen.length - 300} more: filter`) : "", items.length ? "" : quiet(`The server has no ${what.toLowerCase()}.`));
  }
  find.addEventListener("input", draw);

  function select(wanted) {
    const item = items.find((each) => key(each) === wanted);
    if (!item) return null;
    current = wanted;
    if (!pages.has(wanted)) pages.set(wanted, insp_page(panel, app, item));
    const page = pages.get(wanted);
    if (place.firstChild !== page.root) place.replaceChildren(page.root);
    draw();
    return page;
  }

  draw();
  panel.on("gone", () => { for (const page of pages.values()) page.rest(); });
  return {
    root: h("div", { class: "lk-columns" }, h("div", {}, h("div", { class: "lk-row" }, find), list), place),
    set(fresh) {
      const same = new Map(items.map((item) => [key(item), JSON.stringify(item)]));
      for (const [name, page] of pages) {
        const item = fresh.find((each) => key(each) === name);
        if (!item || same.get(name) !== JSON.stringify(item)) { pages.delete(name); page.leave(); }
      }
      items = fresh;
      if (!select(current)) { current = null; place.replaceChildren(quiet(items.length ? "Choose one at the left." : "")); draw(); }
    },
    select: (kind, name) => select(`${kind} ${name}`),
    page: (kind, name) => pages.get(`${kind} ${name}`),
    leave() { for (const page of pages.values()) page.leave(); pages.clear(); current = null; place.replaceChildren(); },
  };
}

/** One tool, resource, template or prompt. `fill(arguments)`, `show(entry)`, `progress(data)`. */
function insp_page(panel, app, item) {
  const complete = item.kind === "prompt" || item.kind === "template"
    ? (name, text, others) => panel.ask("complete", { ref: item.name, argument: name, value: text, context: others ?? {} }).catch(() => []) : undefined;
  const form = item.schema ? schemaForm(item.schema, { label: `arguments of ${item.name}`, complete, onchange: () => (anyway.hidden = true) }) : null;
  const answer = insp_answer(panel, app);
  const said = h("output", { class: "insp-said" });
  const go = button(INSP_VERBS[item.kind], unlessIdle(() => call(false)), { class: "lk-button lk-primary" });
  const anyway = button("Send anyway", () => call(true), { hidden: true });
  const stop = button("Cancel", unlessIdle(() => app.say(panel.ask("cancel", { id: running }))));
  const bar = h("span", {}), meter = h("div", { class: "lk-bar insp-meter", role: "progressbar", "aria-label": `progress of ${item.name}` }, bar);
  const step = h("span", { class: "lk-quiet" }), clock = h("span", { class: "lk-quiet insp-clock" });
  const watch = item.kind === "resource" ? button("", () => app.watch(item.name)) : null;
  let running = null, began = 0, ticking = null;

  const root = h("div", {},
    h("h3", {}, item.name), item.title && item.title !== item.name ? h("p", {}, item.title) : null,
    item.words?.length ? h("p", {}, quiet("The server says: "), item.words.map((word) => h("span", { class: "insp-word" }, word))) : null,
    item.about ? h("p", { class: "insp-about" }, item.about) : null,
    form?.root,
    h("div", { class: "lk-row insp-actions" }, go, stop, anyway, watch, said),
    h("div", { class: "insp-running" }, meter, step, clock),
    answer.root,
    item.output ? h("details", { class: "insp-more" }, h("summary", {}, "Schemas"), h("h4", {}, "Input"), code(JSON.stringify(item.schema, null, 2)), h("h4", {}, "Output"), code(JSON.stringify(item.output, null, 2)))
      : item.kind === "tool" ? h("details", { class: "insp-more" }, h("summary", {}, "Schema"), code(JSON.stringify(item.schema, null, 2))) : null);

  function tick() { clock.textContent = running === null ? "" : `${((performance.now() - began) / 1000).toFixed(1)} s`; }
  function rest() {
    clearInterval(ticking);
    running = ticking = null;
    idle(stop, true);
    idle(go, false);
    step.textContent = clock.textContent = "";
    meter.style.visibility = "hidden";
  }
  function call(even) {
    let given;
    try { given = form?.value(); } catch { anyway.hidden = true; refuse("Not sent: see the form."); return; }
    send(given ?? {}, even);
  }
  function refuse(text) { said.className = "insp-said lk-bad"; said.textContent = text; }
  async function send(given, even) {
    said.textContent = "";
    try {
      const reply = await panel.ask("call", { kind: item.kind, name: item.name, arguments: given, anyway: even });
      form?.show(reply.faults ?? []);
      anyway.hidden = !reply.faults || item.kind !== "tool";
      if (reply.faults) { refuse("Not sent: see the form."); form?.focusFirstError(); }
    } catch (error) { refuse(error.message); }
  }
  rest();
  const page = {
    root, send, rest,
    focus() { go.focus(); },
    fill(values) { form?.set(values); form?.show([]); anyway.hidden = true; },
    show(entry) {
      if (entry.state === "running") {
        running = entry.id;
        began = performance.now() - 1000 * (entry.elapsed ?? 0);
        idle(stop, false);
        idle(go, true);
        bar.style.width = "0";
        clearInterval(ticking);
        ticking = setInterval(tick, 100);
        if (entry.progress) page.progress(entry.progress);
      } else if (running === entry.id || running === null) rest();
      said.className = "insp-said";
      said.textContent = entry.state === "running" ? "" : `${item.name}: ${entry.state} ${time_text(entry.seconds)}`;
      answer.show(entry);
    },
    progress({ done, total, message }) {
      meter.style.visibility = "";
      const share = total ? Math.min(1, done / total) : null;
      bar.style.width = `${100 * (share ?? 1)}%`;
      if (share === null) meter.removeAttribute("aria-valuenow"); else meter.setAttribute("aria-valuenow", String(Math.round(100 * share)));
      step.textContent = `${done}${total ? ` of ${total}` : ""}${message ? `: ${message}` : ""}`;
    },
    watching(keys, can) {
      if (!watch) return;
      watch.hidden = !can;
      watch.textContent = keys.includes(item.name) ? "Unsubscribe" : "Subscribe";
    },
    leave() { clearInterval(ticking); },
  };
  page.watching(app.subscriptions, app.can("subscribe"));
  const last = app.last(item.kind, item.name);
  if (last) app.load(last.id).then((entry) => { if (answer.shown() === null) page.show(entry); }, () => {});
  return page;
}
