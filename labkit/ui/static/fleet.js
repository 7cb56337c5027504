// The fleet of servers. Rows are kept and filled anew, so that nothing moves under the pointer or loses the focus.

const FLEET_TONES = { running: "lk-good", died: "lk-bad", connecting: "lk-warn", closing: "lk-warn" };
const FLEET_SIGNS = { running: "●", died: "✗", connecting: "…", closing: "…" };
const FLEET_ACTS = { stop: "Stop", restart: "Restart", reconnect: "Connect again", kill: "kill -9" };
const FLEET_RENEW = 8000;

function fleetUp(row) {
  const s = Math.max(0, Math.round((row.ended ?? Date.now() / 1000) - row.began));
  if (row.state === "died" || row.state === "stopped" || row.state === "closed") return row.ended ? `${new Date(row.ended * 1000).toTimeString().slice(0, 8)}` : "";
  return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

function fleetRow(act) {
  const cells = Object.fromEntries(["name", "state", "pid", "up", "memory", "calls", "errors", "acts"].map((name) => [name, h("td")]));
  const about = h("div", { class: "lk-quiet" }), doing = h("div", { class: "lk-quiet" }), note = h("div", { class: "lk-quiet lk-fleet-note" });
  const name = h("b"), state = h("span"), log = h("pre", { class: "lk-code", tabindex: "0" });
  const fold = h("details", { class: "lk-fold" }, h("summary", {}, "stderr"), log);
  cells.name.append(name, about);
  cells.state.append(state, doing);
  const root = h("tbody", {}, h("tr", {}, Object.values(cells)), h("tr", { class: "lk-fleet-more" }, h("td", { colspan: "8" }, note, fold)));
  let row = null, made = "";
  return {
    root,
    tick() { cells.up.textContent = fleetUp(row); },
    fill(fresh) {
      row = fresh;
      name.textContent = row.name;
      about.textContent = [row.key.replace("-", " "), row.transport, row.era, row.url === row.name ? "" : row.url].filter(Boolean).join(" · ");
      state.className = FLEET_TONES[row.state] ?? "lk-quiet";
      state.textContent = `${FLEET_SIGNS[row.state] ?? "○"} ${row.state}`;
      doing.textContent = row.doing;
      cells.pid.textContent = row.pid ?? "";
      cells.memory.textContent = row.memory === null ? "" : `${row.memory} MB`;
      cells.calls.textContent = row.calls;
      cells.errors.textContent = row.errors;
      cells.errors.className = row.errors ? "lk-warn" : "";
      note.textContent = row.note;
      note.hidden = !row.note;
      fold.hidden = !row.stderr;
      log.textContent = row.stderr;
      log.setAttribute("aria-label", `stderr of ${row.name}`);
      if (made !== String(row.acts)) {
        made = String(row.acts);
        cells.acts.replaceChildren(h("div", { class: "lk-row" }, row.acts.map((each) =>
          button(FLEET_ACTS[each], unlessIdle((event) => act(each, row, event.currentTarget)), { "aria-label": `${FLEET_ACTS[each]}: ${row.name}, ${row.key.replace("-", " ")}` }))));
      }
      this.tick();
    },
  };
}

export default mount((root, panel) => {
  const rows = new Map();
  const said = h("p", { class: "lk-fleet-said", role: "status" });
  const none = h("p", { class: "lk-quiet" }, "Nothing runs. Start a server above, or connect in a cell.");
  const body = h("table", { class: "lk-table lk-fleet" }, h("thead", {}, h("tr", {}, ["Server", "State", "pid", "Up / until", "Memory", "Calls", "Errors", "Do"].map((name) => h("th", { scope: "col" }, name)))));
  const server = h("select"), via = h("select", {}, [["http", "serve over HTTP"], ["sse", "serve over SSE"], ["stdio", "connect over stdio"]].map(([value, text]) => h("option", { value }, text)));

  async function ask(name, params, from, words) {
    idle(from, true);
    said.textContent = words;
    try {
      said.textContent = await panel.ask(name, params);
      said.classList.remove("lk-bad");
    } catch (error) {
      said.textContent = error.message;
      said.classList.add("lk-bad");
    }
    idle(from, false);
  }

  const act = (what, row, from) => ask(what === "reconnect" ? "restart" : what, { key: row.key }, from, `${FLEET_ACTS[what]}: ${row.name} ...`);

  function draw(fresh) {
    const keys = new Set(fresh.map((row) => row.key));
    for (const [key, row] of rows) if (!keys.has(key)) { row.root.remove(); rows.delete(key); }
    let last = body.tHead;
    for (const row of fresh) {
      if (!rows.has(row.key)) rows.set(row.key, fleetRow(act));
      const shown = rows.get(row.key);
      shown.fill(row);
      if (last.nextElementSibling !== shown.root) last.after(shown.root);
      last = shown.root;
    }
    none.hidden = fresh.length > 0;
    body.hidden = !fresh.length;
  }

  const start = button("Start", unlessIdle((event) => ask("start", { name: server.value, via: via.value }, event.currentTarget, `Starting ${server.value} ...`)), { class: "lk-button lk-primary" });
  root.append(
    h("div", { class: "lk-row" }, labelled("Server", server), labelled("How", via), start), said, none,
    h("div", { class: "lk-scroll lk-fleet-box", tabindex: "0", role: "region", "aria-label": "Servers of this kernel" }, body));

  let seen = false, renewed = 0;
  const renew = () => {
    if (!seen || document.hidden) return;
    renewed = Date.now();
    panel.ask("watch").then(({ rows: fresh, catalog }) => {
      if (!server.options.length) server.append(...catalog.map((name) => h("option", { value: name }, name)));
      draw(fresh);
    }, (error) => { said.textContent = error.message; });
  };
  const timer = setInterval(() => {
    if (!seen || document.hidden) return;
    for (const row of rows.values()) row.tick();
    if (Date.now() - renewed > FLEET_RENEW) renew();
  }, 1000);
  const watcher = new IntersectionObserver((entries) => { seen = entries.at(-1).isIntersecting; if (Date.now() - renewed > 1000) renew(); });
  watcher.observe(root);
  document.addEventListener("visibilitychange", renew);
  panel.on("rows", ({ rows: fresh }) => draw(fresh));
  const stop = () => { clearInterval(timer); watcher.disconnect(); document.removeEventListener("visibilitychange", renew); };
  panel.on("gone", stop);
  return stop;
});
