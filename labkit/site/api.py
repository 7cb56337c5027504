"""Pages of labkit's public names, made of their docstrings by pdoc (the extra `docs`), in the frame of the site."""

# pdoc is an extra, and not installed everywhere.
# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportMissingTypeStubs=false

from __future__ import annotations

import html
import importlib
import pkgutil
import posixpath
import re
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from labkit.site.page import Heading, Page

PACKAGE = "labkit"
NOT_AN_API = frozenset({"cli", "magics"})
"""Rooms whose public side are commands: `labkit --help` and `%mcp?` tell them."""
_FRAME = (
    '<div class="api">{% block content %}{% endblock %}</div><!-- names -->{% block nav_members %}{% endblock %}'
    "{% block search_js %}{% endblock %}"
)
_HREF = re.compile(r'(<a\b[^>]*?\bhref=")(?![a-z]+:|#)([^"]*)"')
_SUMMARY = re.compile(r"(.+?[.:])(\s|$)", re.S)


def available() -> bool:
    """Whether pdoc is installed."""
    return find_spec("pdoc") is not None


def module_names() -> list[str]:
    """What is documented: labkit, each room by what its `__all__` names, and the modules of a room that has none."""
    names = [PACKAGE]
    package = importlib.import_module(PACKAGE)
    for room in pkgutil.iter_modules(package.__path__, f"{PACKAGE}."):
        short = room.name.rpartition(".")[2]
        if short.startswith("_") or short in NOT_AN_API:
            continue
        names.append(room.name)
        module = importlib.import_module(room.name)
        if room.ispkg and not hasattr(module, "__all__"):
            inner = pkgutil.iter_modules(module.__path__, f"{room.name}.")
            names += [each.name for each in inner if not each.name.rpartition(".")[2].startswith("_")]
    return names


def api_pages(names: Sequence[str] = ()) -> list[Page]:
    """The list of modules, all of `module_names` unless given, and a page for each. Imports them. Needs pdoc."""
    import jinja2
    import pdoc.doc
    import pdoc.render

    names = names or module_names()
    pdoc.render.configure(docformat="markdown", include_undocumented=False, search=False, show_source=False)
    ours = jinja2.DictLoader({"frame.html.jinja2": _FRAME})
    loader = pdoc.render.env.loader
    pdoc.render.env.loader = jinja2.ChoiceLoader([ours, *([loader] if loader else [])])
    try:
        with warnings.catch_warnings():
            # An annotation that cannot be resolved stands there as it is written.
            warnings.simplefilter("ignore")
            modules = {name: pdoc.doc.Module(_loaded(name)) for name in names}
            made = [_page(name, pdoc.render.html_module(module, modules), module) for name, module in modules.items()]
    finally:
        pdoc.render.env.loader = loader
    rows = "".join(
        f'<tr><td><a href="site:{each.name}"><code>{name}</code></a></td>'
        f"<td>{html.escape(_first_sentence(modules[name].docstring))}</td></tr>"
        for name, each in zip(names, made, strict=True)
    )
    body = (
        "<h1>The names of labkit</h1><p>Made of the docstrings. <code>import labkit as lab</code> has what a notebook "
        f"needs; the rooms below it are for programs.</p><table><tbody>{rows}</tbody></table>"
    )
    return [Page("api/index.html", "The names of labkit", body, "API"), *made]


def _loaded(name: str) -> Any:
    """A module with all that its `__all__` names: pdoc does not see what is imported on first use."""
    module = importlib.import_module(name)
    for each in getattr(module, "__all__", ()):
        getattr(module, each)
    return module


def _page(name: str, markup: str, module: Any) -> Page:
    """pdoc's page of a module as one of ours: its links are relative to its own file, ours say where they lead."""
    file = f"api/{name.replace('.', '/')}.html"
    body = markup.partition("<!-- names -->")[0]

    def link(match: re.Match[str]) -> str:
        path, _, fragment = html.unescape(match[2]).partition("#")
        target = posixpath.normpath(posixpath.join(posixpath.dirname(file), path)) if path else file
        return f'{match[1]}site:{html.escape(target + ("#" + fragment if fragment else ""))}"'

    parts = name.split(".")
    public = tuple(
        Heading(2, member.qualname, member.qualname)
        for member in module.flattened_own_members
        if f'id="{member.qualname}"' in body
    )
    return Page(file, name, _HREF.sub(link, body), "API", group=parts[1] if len(parts) > 2 else "", names=public)


def _first_sentence(text: str) -> str:
    first = text.strip().split("\n\n", 1)[0]
    found = _SUMMARY.match(first)
    return " ".join((found[1] if found else first).split()).rstrip(":").replace("`", "")
