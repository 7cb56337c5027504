// Theme, search and menu of the site. No server is asked: the index is a script beside this one.
"use strict";
(() => {
  const page = document.documentElement;
  const remember = (value) => { try { localStorage.setItem("lab-theme", value); } catch { /* a file: page may have no storage */ } };
  const remembered = () => { try { return localStorage.getItem("lab-theme"); } catch { return null; } };
  const show = (theme) => {
    page.dataset.theme = theme;
    page.dataset.jpThemeLight = String(theme !== "dark"); // the lab's own views look here
  };
  show(remembered() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));

  // Every word has to be in the title or the heading; a title counts more than a heading, a beginning more than a middle.
  const rank = (text, words) => {
    const low = text.toLowerCase();
    let total = 0;
    for (const word of words) {
      const at = low.indexOf(word);
      if (at < 0) return 0;
      total += at === 0 ? 4 : /[\s._(`-]/.test(low[at - 1]) ? 3 : 1;
    }
    return total + (low === words.join(" ") ? 5 : 0);
  };
  const find = (query) => {
    const words = query.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const found = [];
    for (const each of window.labSearch || []) {
      const own = rank(each.t, words);
      if (own) found.push({ score: own + 2, text: each.t, where: each.s, href: each.u });
      for (const [text, anchor] of each.h) {
        const score = rank(text, words) || rank(`${each.t} ${text}`, words) / 4;
        if (score) found.push({ score, text, where: each.t, href: `${each.u}#${encodeURIComponent(anchor)}` });
      }
    }
    return found.sort((a, b) => b.score - a.score || a.text.length - b.text.length).slice(0, 30);
  };

  addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("page-search"), list = document.getElementById("page-found");
    const button = document.getElementById("page-theme");
    const say = () => { button.textContent = page.dataset.theme === "dark" ? "Light" : "Dark"; };
    say();
    button.addEventListener("click", () => { show(page.dataset.theme === "dark" ? "light" : "dark"); remember(page.dataset.theme); say(); });

    let index;
    const load = () => index ||= new Promise((done) => {
      const script = document.createElement("script");
      script.src = `${page.dataset.root}assets/search.js`;
      script.onload = script.onerror = done;
      document.head.append(script);
    });
    const update = async () => {
      await load();
      const found = find(box.value);
      list.replaceChildren(...found.map((each) => {
        const link = document.createElement("a"), where = document.createElement("small");
        link.href = page.dataset.root + each.href;
        where.textContent = each.where;
        link.append(each.text, " ", where);
        return link;
      }));
      if (!found.length) list.textContent = "Nothing has this in its title or headings.";
      list.hidden = !box.value.trim();
    };
    box.addEventListener("focus", load, { once: true });
    box.addEventListener("input", update);
    const links = () => [...list.querySelectorAll("a")];
    addEventListener("keydown", (event) => {
      const at = links().indexOf(document.activeElement);
      if (event.key === "/" && !event.target.closest("input, textarea, select")) { event.preventDefault(); box.focus(); }
      else if (event.key === "Escape") { list.hidden = true; }
      else if (list.hidden || (at < 0 && event.target !== box)) return;
      else if (event.key === "ArrowDown") { event.preventDefault(); links()[at + 1]?.focus(); }
      else if (event.key === "ArrowUp") { event.preventDefault(); (links()[at - 1] || box).focus(); }
      else if (event.key === "Enter" && event.target === box) { links()[0]?.click(); }
    });
    document.addEventListener("click", (event) => { if (!event.target.closest(".search")) list.hidden = true; });
    list.addEventListener("click", () => { list.hidden = true; });

    // An answer that a link leads into opens; on a narrow screen the menu begins closed.
    const open = () => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.closest("details")?.setAttribute("open", "");
    addEventListener("hashchange", open);
    open();
    if (matchMedia("(max-width: 60rem)").matches) document.querySelector("nav details").open = false;
    const here = document.querySelector("nav [aria-current]"), menu = document.querySelector("nav");
    if (here && here.offsetTop > menu.clientHeight) menu.scrollTop = here.offsetTop - menu.clientHeight / 3;
  });
})();
