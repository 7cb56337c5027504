// The inspector's connect form, and the line that says what it is connected to.

const INSP_HINTS = {
  command: "npx -y @modelcontextprotocol/server-everything", url: "http://127.0.0.1:8000/mcp", file: "my_server.py", config: "claude_desktop_config.json",
};

/** A control with its label before it. */
function insp_field(text, control, hint = "") {
  control.id ||= uid("field");
  return h("div", { class: "insp-field" }, h("label", { for: control.id }, text), control, hint ? quiet(hint) : null);
}

function insp_select(choices, value = "") {
  return h("select", {}, choices.map(([key, text]) => h("option", { value: key, selected: key === value }, text)));
}

/** New children for `place`; the focus stays on the button that has the same key, or the same number. */
function insp_refill(place, ...nodes) {
  const buttons = () => [...place.querySelectorAll("button")], held = place.contains(document.activeElement) ? document.activeElement : null;
  const at = held ? buttons().indexOf(held) : -1, key = held?.dataset.key;
  place.replaceChildren(...nodes.flat().filter((node) => node !== "" && node !== null));
  if (at >= 0) (buttons().find((each) => key !== undefined && each.dataset.key === key) ?? buttons()[at])?.focus();
}

/** Rows of a name and a value. `{root, value(), set(rows)}`. */
function insp_rows(title, one) {
  const list = h("div", { class: "insp-rows" });
  const add = (name = "", value = "") => {
    const number = list.children.length + 1;
    const row = h("div", { class: "lk-row" },
      h("input", { value: name, placeholder: "name", "aria-label": `${one} ${number}: name`, autocomplete: "off", spellcheck: "false" }),
      h("input", { value, placeholder: "value", "aria-label": `${one} ${number}: value`, autocomplete: "off", spellcheck: "false" }),
      button("Remove", () => { row.remove(); more.focus(); }, { "aria-label": `Remove ${one} ${number}` }));
    list.append(row);
    return row;
  };
  const more = button(`Add ${one}`, () => add().querySelector("input").focus());
  return {
    root: h("fieldset", { class: "insp-fieldset" }, h("legend", {}, title), list, more),
    value: () => [...list.children].map((row) => [...row.querySelectorAll("input")].map((input) => input.value)).filter(([name]) => name.trim()),
    set(rows) { list.replaceChildren(); for (const [name, value] of rows) add(name, value); },
  };
}

/** The form. `show(facts)` says how connecting goes, and fills in what was tried last. */
function insp_connect(panel, choices) {
  const kind = insp_select(Object.entries(choices.kinds));
  const entry = insp_select(choices.catalog.map(({ name, summary }) => [name, `${name}: ${summary}`]));
  const target = h("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const server = h("input", { type: "text", spellcheck: "false", autocomplete: "off" });
  const era = insp_select(choices.eras.map((each) => [each, each === "auto" ? "auto: the newest that both speak" : each]));
  const via = insp_select([["", "as it comes"], ...choices.transports.map((each) => [each, each])]);
  const level = insp_select([["", "as the server likes"], ...choices.levels.map((each) => [each, each])]);
  const env = insp_rows("Environment of the server's process", "variable");
  const headers = insp_rows("HTTP headers", "header");
  const entry_row = insp_field("Server", entry), target_row = insp_field("Target", target), server_row = insp_field("Server name", server);
  const label = target_row.querySelector("label"), server_label = server_row.querySelector("label");
  const said = h("div", { role: "alert", class: "lk-bad insp-said" }), doing = h("output", { class: "lk-quiet" });
  const go = h("button", { type: "submit", class: "lk-button lk-primary" }, "Connect");
  const stop = button("Cancel", unlessIdle(() => panel.ask("stop_connecting")));
  const form = h("form", { class: "insp-connect", onsubmit: (event) => { event.preventDefault(); if (go.getAttribute("aria-disabled") !== "true") connect(); } },
    h("h3", {}, "Connect to a server"),
    insp_field("Connect to", kind), entry_row, target_row, server_row, insp_field("Era", era), insp_field("Transport", via),
    h("details", { class: "insp-more" }, h("summary", {}, "Environment, headers, log level"),
      env.root, headers.root, insp_field("Log messages from", level, "asked of servers of the modern era")),
    h("div", { class: "lk-row" }, go, stop, doing), said);

  function turn() {
    const is = kind.value;
    entry_row.hidden = is !== "catalog";
    target_row.hidden = is === "catalog";
    server_row.hidden = is !== "file" && is !== "config";
    label.textContent = { command: "Command line", url: "URL", file: "Python file", config: "Configuration file" }[is] ?? "Target";
    server_label.textContent = is === "file" ? "Object in the file" : "Server in the configuration";
    server.placeholder = is === "file" ? "server" : "the only one";
    target.placeholder = INSP_HINTS[is] ?? "";
  }
  kind.addEventListener("change", () => { turn(); said.textContent = ""; });
  turn();

  function connect() {
    const is = kind.value;
    said.textContent = "";
    target.removeAttribute("aria-invalid");
    panel.ask("connect", {
      kind: is, target: is === "catalog" ? entry.value : target.value, server: is === "file" || is === "config" ? server.value : "",
      era: era.value, via: via.value, log_level: level.value, env: env.value(), headers: headers.value(),
    }).catch((error) => {
      said.textContent = error.cancelled ? "Connecting was cancelled; nothing was left behind." : error.message;
      if (!error.cancelled && is !== "catalog" && !target.value.trim()) { target.setAttribute("aria-invalid", "true"); target.focus(); }
    });
  }

  let filled = "";
  return {
    root: form,
    show(facts) {
      idle(go, facts.connecting);
      idle(stop, !facts.connecting);
      doing.textContent = facts.connecting ? "connecting ..." : "";
      const was = JSON.stringify(facts.form);
      if (was !== filled && facts.form.kind) {
        filled = was;
        const last = facts.form;
        kind.value = last.kind;
        if (last.kind === "catalog") entry.value = last.target; else target.value = last.target;
        server.value = last.server ?? ""; era.value = last.era ?? "auto"; via.value = last.via ?? ""; level.value = last.log_level ?? "";
        env.set(last.env ?? []); headers.set(last.headers ?? []);
        turn();
      }
      if (facts.connecting) said.textContent = "";
      else if (facts.failure) said.textContent = facts.failure;
    },
  };
}

/** What the panel is connected to, what it is called upon to do about it, and why there is nothing any more. */
function insp_headline(panel, app) {
  const facts_line = h("div", { class: "lk-row" }), why = h("div", { role: "status" }), buttons = h("span", { class: "lk-row insp-buttons" });
  const again = button("Reconnect", unlessIdle(() => app.say(panel.ask("reconnect"))), { class: "lk-button lk-primary" });
  const close = button("Disconnect", () => app.say(panel.ask("disconnect")));
  const other = button("Connect to another", () => app.say(panel.ask("form")));
  const relist = button("List again", () => app.say(panel.ask("refresh")));
  buttons.append(again, close, other, relist);
  const about = h("details", { class: "insp-more" }, h("summary", {}, "What the server says of itself"), h("div", {}));
  return {
    root: h("div", { class: "insp-head" }, h("div", { class: "lk-row" }, facts_line, buttons), why, about),
    show(facts) {
      const parts = [facts.server, facts.transport, facts.era ? `era ${facts.era}` : "", facts.pid ? `pid ${facts.pid}` : "", facts.url];
      facts_line.replaceChildren(h("h3", {}, facts.name ?? ""), ...parts.filter(Boolean).map((part) => quiet(part)),
        h("span", { class: facts.closed ? "lk-bad" : "lk-good" }, facts.closed ? "closed" : "open"),
        facts.owned && !facts.closed ? quiet("opened by this panel: closing the panel closes it") : "");
      again.hidden = !facts.closed;
      idle(again, facts.connecting);
      close.hidden = facts.closed || !facts.owned;
      relist.hidden = facts.closed;
      why.className = `insp-why ${facts.closed ? "lk-bad" : "lk-quiet"}`;
      why.textContent = facts.connecting ? "connecting ..." : facts.closed ? `${facts.why} ${facts.failure}`.trim() : "";
      about.hidden = !facts.instructions && !facts.can?.length;
      about.lastChild.replaceChildren(facts.can?.length ? h("p", {}, "It has: ", facts.can.join(", ")) : "", facts.instructions ? h("p", {}, facts.instructions) : "");
    },
  };
}
