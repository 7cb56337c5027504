"""A static site of the executed course and of labkit's names: `labkit site`.

    from labkit.site import build_site
    built = build_site(Path("site"), find_notebooks())
    built.pages, built.left_out, built.ok

| module | what it has |
|---|---|
| `build` | `build_site`: runs, collects, writes a new folder, moves it into place |
| `page` | a page, its anchors and headings; what may stand in the site |
| `notebooks` | executed copies, and their HTML |
| `texts` | pages made of Markdown, exercises, interview questions, source files |
| `api` | pages of labkit's names, by pdoc |
| `links` | links of the lab's files turned into links of the site, or left out |
| `frame` | what is around every page; the index of the search |

Nothing is loaded from another host, and a page works when it is opened as a file.
"""

from labkit.site.build import Built, SiteError, build_site

__all__ = ["Built", "SiteError", "build_site"]
