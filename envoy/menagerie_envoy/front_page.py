"""The front door's own page: which APIs there are, their documentation, and a form to try each."""

from __future__ import annotations

from html import escape
from string import Template
from typing import TYPE_CHECKING

from menagerie_envoy.pages import CONTENT_TYPES, FOLDER, file_route, text_route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from menagerie_envoy.apis import Api, Form
    from menagerie_envoy.edge import Edge, Listener
    from menagerie_envoy.typed import Json

FILES = FOLDER / "front-door"

# Every address is relative: the page works behind a proxy's prefix, too.
SECTION = Template("""
      <section id="$name">
        <div class="head">
          <h2>$name</h2><span class="quiet">$title</span><span class="state">…</span>
          <span class="quiet port">port $port</span>
        </div>
        <p>$summary</p>
        <nav>$documentation</nav>
        $form
        <output></output>
      </section>""")

LINKS = Template(
    '<a href="$name/docs">Swagger UI</a><a href="$name/redoc">ReDoc</a>'
    '<a href="$name/openapi.json">OpenAPI</a>'
)
NO_LINKS = Template(
    '<span class="quiet">Its documentation is off: <code>$variable=true</code> turns it on.</span>'
)
FORM = Template('<form data-url="$name$path" data-job="$job">$inputs<button disabled>Try it</button></form>')
FILE = Template('<label>$field<input type="file" name="$field" accept="image/*" required></label>')
KEY = '<label>API key<input type="password" autocomplete="off" required></label>'


def front_page_routes(edge: Edge) -> Iterator[Json]:
    """Give the routes of the page, and of its script."""
    yield text_route("/", CONTENT_TYPES[".html"], front_page(edge))
    yield file_route("/assets/index.js", FILES / "index.js")


def front_page(edge: Edge) -> str:
    """Return the page, as the APIs' listeners are set."""
    page = Template((FILES / "index.html").read_text(encoding="utf-8"))
    return page.substitute(apis="".join(_section(api, listener) for api, listener in edge.listeners.items()))


def _section(api: Api, listener: Listener) -> str:
    documented = LINKS if listener.document else NO_LINKS
    return SECTION.substitute(
        name=api.name,
        title=escape(api.title),
        port=listener.address.port,
        summary=escape(api.summary),
        documentation=documented.substitute(name=api.name, variable=f"MENAGERIE_{api.name.upper()}_API_DOCS"),
        form=_form(api.name, api.form, key=listener.api_keys) if api.form else "",
    )


def _form(name: str, form: Form, *, key: bool) -> str:
    inputs = "".join(FILE.substitute(field=field) for field in form.fields)
    job = f"{name}{form.job}" if form.job else ""
    return FORM.substitute(name=name, path=form.path, job=job, inputs=inputs + KEY * key)
