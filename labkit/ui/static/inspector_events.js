// What comes by itself: announcements and log messages; and what the server wrote to stderr.

const INSP_KEPT = 500;

/** The tab of events, with buttons to subscribe. `add(rows, fresh)`, `watching(keys)`. */
function insp_events(panel, app) {
  const rows = h("tbody"), empty = quiet("Nothing came yet."), keys = h("div", { class: "lk-row" });
  const level = insp_select(app.choices.levels.map((each) => [each, each]), "info");
  const level_row = h("div", { class: "lk-row" }, labelled("Log messages from", level),
    button("Set level", () => app.say(panel.ask("log_level", { level: level.value }))));
  let last = 0;
  return {
    root: h("div", {}, keys, level_row,
      h("div", { class: "lk-scroll insp-feed", tabindex: "0", role: "log", "aria-label": "events" },
        h("table", { class: "lk-table" }, h("thead", {}, h("tr", {}, ["at", "what", "detail"].map((name) => h("th", { scope: "col" }, name)))), rows), empty)),
    add(events, fresh) {
      if (fresh) { rows.replaceChildren(); last = 0; }
      for (const event of events) {
        if (event.n <= last) continue;
        last = event.n;
        rows.prepend(h("tr", {}, h("td", {}, `${event.at.toFixed(3)} s`), h("td", {}, event.method.replace("notifications/", "")),
          h("td", {}, event.level ? h("b", {}, `${event.level}: `) : "", event.text ?? "",
            event.uri ? button("Read it", () => app.read(event.uri), { "aria-label": `Read ${event.uri}` }) : "")));
      }
      while (rows.children.length > INSP_KEPT) rows.lastChild.remove();
      empty.hidden = rows.children.length > 0;
      return rows.children.length;
    },
    watching(subscribed) {
      const all = subscribed.includes(app.all_lists);
      insp_refill(keys,
        button(all ? "Stop hearing of changed lists" : "Hear of changed lists", () => app.watch(app.all_lists)),
        ...subscribed.filter((key) => key !== app.all_lists).map((key) => button(`Unsubscribe ${key}`, () => app.watch(key))),
        quiet("Subscribe to a resource on its page."));
      level_row.hidden = !app.can("logging") || app.modern();
    },
  };
}

/** The tab of the server's log. */
function insp_log() {
  const text = h("pre", { class: "lk-code insp-feed", tabindex: "0", role: "log", "aria-label": "stderr of the server" });
  const head = h("p", { class: "lk-quiet" }), said = h("tbody"), none = quiet("No log messages over the protocol.");
  let lines = [], last = 0;
  return {
    root: h("div", {}, h("h4", {}, "stderr"), head, text, h("h4", { class: "insp-gap" }, "Log messages over the protocol"),
      h("div", { class: "lk-scroll", tabindex: "0", role: "region", "aria-label": "log messages" },
        h("table", { class: "lk-table" }, h("thead", {}, h("tr", {}, ["at", "level", "message"].map((name) => h("th", { scope: "col" }, name)))), said), none)),
    add({ lines: more, total, fresh }) {
      lines = (fresh ? more : [...lines, ...more]).slice(-INSP_KEPT);
      const below = text.scrollHeight - text.scrollTop - text.clientHeight < 30;
      text.textContent = lines.join("\n") || "(nothing)";
      if (below) text.scrollTop = text.scrollHeight;
      head.textContent = total > lines.length ? `the last ${lines.length} of ${total} lines` : "";
      return total;
    },
    messages(events, fresh) {
      if (fresh) { said.replaceChildren(); last = 0; }
      for (const event of events) {
        if (event.n <= last) continue;
        last = event.n;
        if (event.level) said.prepend(h("tr", {}, h("td", {}, `${event.at.toFixed(3)} s`), h("td", {}, event.level), h("td", {}, event.text)));
      }
      while (said.children.length > INSP_KEPT) said.lastChild.remove();
      none.hidden = said.children.length > 0;
    },
  };
}
