// Elements made of the nodes of prose.py, and what views of the course do with JupyterLab: copy, insert, open.

const proseNodes = (nodes) => nodes.map((node) => (typeof node === "string" ? node : h(node[0], node[1], proseNodes(node[2]))));

/** Run a JupyterLab command. Its command linker listens to clicks on elements that name one, and trusts those inside `place`, a cell. */
function labCommand(place, name, args = {}) {
  const link = h("span", { "data-commandlinker-command": name, "data-commandlinker-args": JSON.stringify(args), hidden: true });
  place.append(link);
  link.click();
  link.remove();
}

const inJupyterLab = () => document.querySelector(".jp-NotebookPanel") !== null;

/** A link that opens a file of the file browser; plain text outside JupyterLab. `path` is empty when it is not in reach. */
function fileLink(text, path) {
  if (!path || !inJupyterLab()) return h("code", {}, text);
  return h("button", { type: "button", class: "lk-link", "aria-label": `Open ${text}`, onclick: (event) => labCommand(event.currentTarget.parentElement, "docmanager:open", { path }) }, text);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return "Copied.";
  } catch {
    return "The browser did not allow copying: select the text and copy it.";
  }
}

/** Put a code cell with this text below the one that holds `element`; copies the text where that is not to be had. */
async function insertCell(element, text) {
  const holder = element.closest(".jp-Notebook .jp-Cell");
  if (!holder) return `${await copyText(text)} Paste it into a new cell.`;
  holder.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
  const before = cellBelow(element);
  labCommand(element, "notebook:insert-cell-below");
  // Looked up each time: JupyterLab may draw a cell anew, and what follows a cell need not be one.
  const made = () => { const below = cellBelow(element); return below !== before && below; };
  if ((await soon(made, 30_000)) && (await fillCell(element, made, text, 30_000))) {
    keepFilled(element, made, text);
    return "Inserted below.";
  }
  return `${await copyText(text)} Paste it into a new cell.`;
}

/** The next cell after the one that holds `element`, or null. */
function cellBelow(element) {
  let next = element.closest(".jp-Notebook .jp-Cell")?.nextElementSibling ?? null;
  while (next && !next.classList.contains("jp-Cell")) next = next.nextElementSibling;
  return next;
}

/** What `look` finds, once it finds something; null after so many milliseconds. */
async function soon(look, milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const found = look();
    if (found) return found;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return null;
}

const textOf = (cell) => cell.querySelector(".cm-content")?.textContent.trim() ?? "";

/** Write into an empty cell that `find` gives. Its editor takes a while to be ready; until it is, what is put into it is lost without a word. */
async function fillCell(element, find, text, milliseconds) {
  let next = 0;
  let tries = 0;
  return soon(() => {
    const cell = find();
    if (cell && textOf(cell)) return true;
    const editor = cell && cell.querySelector(".cm-content");
    if (!editor || document.querySelector(".jp-Dialog") || performance.now() < next) return false;
    next = performance.now() + 500;
    // The command writes into the active cell, which is this one unless something else was clicked or ran meanwhile.
    if (!cell.classList.contains("jp-mod-active")) cell.dispatchEvent(new MouseEvent("mousedown", { bubbles: true }));
    if (tries++ % 4 < 3) labCommand(element, "notebook:replace-selection", { text });
    else {
      editor.focus();
      document.execCommand("insertText", false, text);
    }
    return false;
  }, milliseconds);
}

/** An editor that is still being set up may be emptied again, seconds later on a busy machine: unless a person did it, fill it again. */
function keepFilled(element, find, text) {
  const end = performance.now() + 20_000, notebook = element.closest(".jp-Notebook");
  let touched = false;
  const note = (sent) => { touched ||= sent.isTrusted && Boolean(find() && find().contains(sent.target)); };
  for (const event of ["keydown", "paste", "cut"]) notebook.addEventListener(event, note, { capture: true });
  const look = async () => {
    const cell = find();
    if (touched || !cell || performance.now() > end) {
      for (const event of ["keydown", "paste", "cut"]) notebook.removeEventListener(event, note, { capture: true });
      return;
    }
    if (!textOf(cell)) await fillCell(element, find, text, 5_000);
    setTimeout(look, 100);
  };
  look();
}
