// A question of the server below the running cell: its form, Accept, Decline, Cancel.

export default mount((root, panel) => {
  const question = h("p", { class: "lk-question" }, "...");
  const body = h("fieldset", { class: "lk-plain" });
  const status = h("div", { role: "status", class: "lk-quiet lk-answered" });
  root.append(question, body, status);
  const settled = (state) => { body.disabled = true; status.textContent = state; };
  panel.on("settled", ({ state }) => settled(state));
  panel.on("gone", () => clearTimeout(slow));
  const failed = (error) => { status.textContent = error.message; };

  // A cell that blocks (lab.sync) keeps the kernel from hearing anything of this form until it ends.
  const slow = setTimeout(() => {
    status.textContent = "The kernel is busy and does not hear this form. If its cell calls without await (lab.sync), interrupt it, and connect with on_elicit=lab.scripted({...}) or use await.";
  }, 8000);
  panel.ask("question").then(({ message, schema, url, safe, state }) => {
    clearTimeout(slow);
    status.textContent = "";
    question.replaceChildren(h("b", {}, "The server asks: "), message, url ? " " : "",
      url ? (safe ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, url) : h("code", {}, url)) : "");
    if (state) { settled(state); return; }
    const form = schema && schemaForm(schema, { label: "answer" });
    const accept = async () => {
      let value = {};
      try { if (form) value = form.value(); } catch { return; }  // the form has shown why
      try {
        const { faults } = await panel.ask("accept", { value });
        if (!faults.length) return;
        if (form) { form.show(faults); form.focusFirstError(); } else failed({ message: faults[0].message });
      } catch (error) { failed(error); }
    };
    body.replaceChildren(...(form ? [form.root] : []), h("div", { class: "lk-row lk-answers" },
      button("Accept", accept, { class: "lk-button lk-primary" }),
      button("Decline", () => panel.ask("decline").catch(failed)),
      button("Cancel", () => panel.ask("cancel").catch(failed))));
  }, failed);
  return () => clearTimeout(slow);
});
