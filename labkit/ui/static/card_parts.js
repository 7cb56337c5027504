// What the exercise card has in common with a kata of a mock interview: a check with its outcome, a button that asks first.

const CARD_SIGNS = { passed: "✓", failed: "✗", crashed: "‼", "not attempted": "○" };
const CARD_TONES = { passed: "lk-good", failed: "lk-bad", crashed: "lk-warn", "not attempted": "lk-quiet", begun: "lk-warn" };

/** A button that asks before it acts; the question takes the place of the button. */
function cardAsk(text, question, yes, act) {
  const open = button(text, () => turn(true));
  const no = button("Cancel", () => turn(false));
  const row = h("span", { class: "lk-row lk-ask", role: "group", "aria-label": question, hidden: true },
    h("span", {}, question), button(yes, () => { turn(false); act(); }), no);
  const turn = (on) => { open.hidden = on; row.hidden = !on; (on ? no : open).focus(); };
  row.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); turn(false); } });
  return { root: h("span", {}, open, row), open };
}

function cardCheck(check) {
  return h("li", { class: "lk-check" },
    h("span", { class: `lk-check-status ${CARD_TONES[check.status]}` }, `${CARD_SIGNS[check.status]} ${check.status}`),
    h("span", { class: "lk-quiet lk-check-points" }, `${check.points} p`),
    h("div", {}, check.title, check.lines.map(([text, code]) => h("div", { class: "lk-check-line" }, text, code ? [" ", h("code", {}, code)] : null))));
}
