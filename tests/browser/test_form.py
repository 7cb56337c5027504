"""The form for JSON Schemas: each kind of field on a bare page, and a nested one by keyboard in JupyterLab."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from labkit.ui.panel import script, styles
from tests.browser import axe

Open = Callable[..., Any]
Draw = Callable[..., None]


def members(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def nullable(schema: Any, **more: Any) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}], **more}


TREE = {
    "$ref": "#/$defs/T",
    "$defs": {"T": members(v={"type": "integer"}, next=nullable({"$ref": "#/$defs/T"})) | {"required": ["v", "next"]}},
}
SHAPE = {
    "oneOf": [
        members(kind={"const": "circle"}, r={"type": "number"}) | {"title": "Circle", "required": ["kind", "r"]},
        members(kind={"const": "square"}, a={"type": "number"}) | {"title": "Square", "required": ["kind", "a"]},
    ]
}
EXPRESSION = {
    "$ref": "#/$defs/E",
    "$defs": {
        "E": {
            "oneOf": [
                members(op={"const": "lit"}, v={"type": "number"}) | {"required": ["op", "v"]},
                members(op={"const": "add"}, l={"$ref": "#/$defs/E"}, r={"$ref": "#/$defs/E"})
                | {"required": ["op", "l", "r"]},
            ]
        }
    },
}


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """A page for all tests but the one in JupyterLab: they draw their forms anew."""
    bare = browser.new_page(viewport={"width": 1000, "height": 900})
    bare.set_content(
        f"<!doctype html><html lang='en'><head><title>form</title><style>{styles('form')}</style></head>"
        "<body style='margin: 0'><main class='labkit labkit-panel'></main></body></html>"
    )
    bare.add_script_tag(content=f"{script('form')}\nwindow.schemaForm = schemaForm;", type="module")
    bare.wait_for_function("() => !!window.schemaForm")
    yield bare
    bare.close()


@pytest.fixture
def draw(bare: Page) -> Draw:
    """`draw(schema, value=...)` puts a form on the page; `window.form` is what schemaForm returned."""

    def drawing(schema: Any, **options: Any) -> None:
        bare.evaluate(
            "text => { const [schema, options] = JSON.parse(text); window.form = schemaForm(schema, options);"
            " document.querySelector('main').replaceChildren(form.root); }",
            json.dumps([schema, options]),
        )

    return drawing


def value_of(bare: Page) -> Any:
    text = bare.evaluate("() => JSON.stringify(form.value())")
    return None if text is None else json.loads(text)


KINDS = [
    pytest.param({"type": "string"}, lambda p: p.get_by_label("a", exact=True).fill("x"), "x", id="text"),
    pytest.param(
        {"type": "string", "maxLength": 500},
        lambda p: p.get_by_role("textbox", name="a").fill("x\ny"),
        "x\ny",
        id="long text",
    ),
    pytest.param(
        {"type": "string", "format": "date"},
        lambda p: p.get_by_label("a", exact=True).fill("2026-02-03"),
        "2026-02-03",
        id="date",
    ),
    pytest.param(
        {"type": "string", "format": "date-time"},
        lambda p: p.get_by_placeholder("2026-11-21T10:30:00Z").fill("2026-02-03T01:02:03Z"),
        "2026-02-03T01:02:03Z",
        id="date and time",
    ),
    pytest.param(
        {"type": "string", "format": "password"},
        lambda p: p.locator("input[type=password]").fill("s3cret"),
        "s3cret",
        id="password",
    ),
    pytest.param(
        {"type": "string", "format": "email"},
        lambda p: p.locator("input[type=email]").fill("a@b"),
        "a@b",
        id="email",
    ),
    pytest.param(
        {"type": "string", "format": "uri"},
        lambda p: p.locator("input[type=url]").fill("x:y"),
        "x:y",
        id="uri",
    ),
    pytest.param(
        {"type": "integer", "minimum": 1, "maximum": 9},
        lambda p: p.get_by_label("a", exact=True).fill("3"),
        3,
        id="integer",
    ),
    pytest.param({"type": "number"}, lambda p: p.get_by_label("a", exact=True).fill("-1.5e2"), -150, id="number"),
    pytest.param({"enum": ["x", 2, None]}, lambda p: p.get_by_label("a", exact=True).select_option("2"), 2, id="enum"),
    pytest.param(
        {"enum": ["x", "y"], "enumNames": ["Ix", "Yps"]},
        lambda p: p.get_by_label("a", exact=True).select_option("Yps"),
        "y",
        id="enumNames",
    ),
    pytest.param(
        {"oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
        lambda p: p.get_by_label("a", exact=True).select_option("Large"),
        "l",
        id="titled values",
    ),
    pytest.param(
        {"type": "boolean"},
        lambda p: p.get_by_label("a", exact=True).select_option("false"),
        False,
        id="boolean that may be left out",
    ),
    pytest.param(
        {"type": "boolean", "default": True}, lambda p: p.get_by_role("checkbox").uncheck(), False, id="boolean"
    ),
    pytest.param(
        {"type": "array", "items": {"enum": ["x", "y", "z"]}},
        lambda p: [p.get_by_label(name, exact=True).check() for name in ("z", "x")],
        ["z", "x"],
        id="some of a few",
    ),
    pytest.param(
        nullable({"type": "string"}),
        lambda p: [p.get_by_label("give a").check(), p.get_by_role("textbox", name="a").fill("x")],
        "x",
        id="X or null",
    ),
    pytest.param(
        {"type": ["string", "integer"]},
        lambda p: [p.get_by_label("a: kind").select_option("whole number"), p.get_by_role("textbox").fill("3")],
        3,
        id="several types",
    ),
    pytest.param(
        SHAPE,
        lambda p: [p.get_by_label("a: kind").select_option("Square"), p.get_by_role("textbox", name="a").fill("2")],
        {"kind": "square", "a": 2},
        id="alternatives",
    ),
    pytest.param(
        {"type": "object", "additionalProperties": {"type": "integer"}},
        lambda p: [
            p.get_by_label("give a").check(),
            p.get_by_role("button", name="Add to a").click(),
            p.get_by_label("key 1").fill("one"),
            p.get_by_label("value 1").fill("1"),
        ],
        {"one": 1},
        id="map",
    ),
    pytest.param(
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}], "items": False, "default": []},
        lambda p: [p.get_by_label("a 1").fill("x"), p.get_by_label("a 2").fill("2")],
        ["x", 2],
        id="tuple",
    ),
    pytest.param({}, lambda p: p.get_by_label("a", exact=True).fill('{"q": [1]}'), {"q": [1]}, id="anything"),
    pytest.param({"const": 7, "default": 7}, lambda p: expect(p.get_by_text("always")).to_be_visible(), 7, id="const"),
]


@pytest.mark.parametrize(("schema", "fill", "value"), KINDS)
def test_a_kind_of_field(bare: Page, draw: Draw, schema: Any, fill: Callable[[Page], Any], value: Any) -> None:
    draw(members(a=schema))
    if "default" not in schema:
        assert value_of(bare) == {}  # what nobody gave is left out
    fill(bare)
    assert value_of(bare) == {"a": value}
    bare.get_by_role("tab", name="JSON").click()
    assert json.loads(bare.get_by_role("textbox", name="arguments as JSON").input_value()) == {"a": value}
    bare.get_by_role("tab", name="Form").click()
    assert value_of(bare) == {"a": value}


KEPT: list[tuple[str, Any, list[Any]]] = [
    ("text", members(a={"type": "string"}), [{}, {"a": ""}, {"a": "x\ny"}, {"a": None}, {"a": 1}, {"b": 1}, [1], "x"]),
    ("integer", members(a={"type": "integer"}), [{"a": 1.5}, {"a": "x"}, {"a": None}, {"a": [1]}]),
    ("enum", members(a={"enum": ["x", None, {"q": 1}]}), [{"a": None}, {"a": {"q": 1}}, {"a": "zz"}]),
    ("boolean", members(a={"type": "boolean", "default": True}), [{}, {"a": False}, {"a": "x"}, {"a": None}]),
    (
        "choices",
        members(a={"type": "array", "items": {"enum": ["x", "y"]}}),
        [{"a": []}, {"a": ["x", "x"]}, {"a": "x"}],
    ),
    ("null", members(a=nullable({"type": "string"}, default=None)), [{}, {"a": None}, {"a": ""}, {"a": 3}]),
    ("null, with a default", members(a=nullable({"type": "string"}, default="d")), [{}, {"a": None}, {"a": "s"}]),
    ("types", members(a={"type": ["string", "integer", "null"]}), [{}, {"a": None}, {"a": "s"}, {"a": 3}, {"a": [1]}]),
    ("tuple", members(a={"prefixItems": [{"type": "string"}, {}]}), [{"a": []}, {"a": ["x"]}, {"a": ["x", 1, {}]}]),
    ("date", members(a={"type": "string", "format": "date"}), [{"a": "2026-01-01"}, {"a": "some day"}]),
    ("allOf", {"allOf": [members(x={"type": "integer"}), members(y={"type": "integer"})]}, [{"x": 1, "y": 2, "z": 3}]),
    (
        "conditions",
        members(k={"type": "string"}) | {"if": {"required": ["k"]}, "then": members(n={"type": "integer"})},
        [{"n": 1, "k": "x"}],
    ),
    ("recursion", TREE, [{"v": 1, "next": {"v": 2, "next": None}}, {"v": 1}]),
    ("alternatives", members(s=SHAPE), [{"s": {"kind": "square", "a": 1}}, {"s": {"kind": "round"}}]),
    (
        "expression",
        EXPRESSION,
        [{"op": "add", "l": {"op": "lit", "v": 1}, "r": {"op": "add", "l": {"op": "lit", "v": 1}, "r": {}}}],
    ),
    (
        "dangerous names",
        members(constructor={"type": "string"}),
        [json.loads('{"constructor": "c", "__proto__": "p"}')],
    ),
    ("no reference", {"$ref": "#/nowhere"}, [{"a": 1}]),
    ("no schema", members(a=3, b=False, c="x"), [{"a": 1, "b": 2, "c": []}]),
    ("itself", {"$ref": "#"}, [[1]]),
    ("itself or itself", {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}, [{"x": 1}]),
    ("lists of lists", {"type": "array", "items": {"$ref": "#"}}, [[[], [[]]], json.loads("[" * 300 + "]" * 300)]),
    (
        "two to the thirtieth",
        {"$ref": "#/$defs/0", "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(30)}},
        [{"a": 1}],
    ),
    ("required without end", members(a={"$ref": "#"}, b={"$ref": "#"}) | {"required": ["a", "b"]}, [{"a": {"b": {}}}]),
]


@pytest.mark.parametrize(("schema", "values"), [pytest.param(*each[1:], id=each[0]) for each in KEPT])
def test_whatever_a_value_is_the_form_keeps_it(bare: Page, draw: Draw, schema: Any, values: list[Any]) -> None:
    for value in values:
        draw(schema, value=value)
        assert value_of(bare) == value
        bare.get_by_role("tab", name="JSON").click()
        text = bare.get_by_role("textbox", name="arguments as JSON")
        assert json.loads(text.input_value()) == value
        draw(schema)
        bare.get_by_role("tab", name="JSON").click()
        text.fill(json.dumps(value))
        bare.get_by_role("tab", name="Form").click()
        assert value_of(bare) == value


def test_defaults_are_given_and_may_be_taken_away(bare: Page, draw: Draw) -> None:
    draw(members(n={"type": "integer", "default": 3}, s={"type": "string", "default": "d"}, o={"type": "string"}))
    assert value_of(bare) == {"n": 3, "s": "d"}
    bare.get_by_label("n", exact=True).fill("")
    bare.get_by_label("s", exact=True).fill("")
    bare.get_by_label("o", exact=True).fill("x")
    bare.get_by_label("o", exact=True).fill("")
    assert value_of(bare) == {"s": ""}
    expect(bare.get_by_label("s", exact=True)).to_have_attribute("placeholder", "(empty text)")


def test_rows_are_added_moved_and_removed_and_keep_the_focus(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": "array", "items": {"type": "string"}, "default": []}))
    for text in ("x", "y", "z"):
        bare.get_by_role("button", name="Add to a").click()
        bare.keyboard.type(text)
    bare.get_by_role("button", name="Move up a 3").click()
    expect(bare.get_by_role("button", name="Move up a 2")).to_be_focused()
    bare.get_by_role("button", name="Remove a 1").click()
    expect(bare.get_by_role("button", name="Remove a 1")).to_be_focused()
    assert value_of(bare) == {"a": ["z", "y"]}


def test_several_lines_pasted_into_one_stay_several(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": "string"}), value={"a": "ad"})
    field = bare.get_by_label("a", exact=True)
    field.evaluate(
        "e => { e.focus(); e.setSelectionRange(1, 1); const data = new DataTransfer(); data.setData('text/plain', 'b\\nc');"
        " e.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})); }"
    )
    assert value_of(bare) == {"a": "ab\ncd"}
    expect(field).to_be_focused()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": }', "Line 1, column 7: a value is expected here"),
        ('{\n  "a": 1\n  "b": 2}', "Line 3, column 3: ',' or '}' is expected here"),
        ("[1, 2", "Line 1, column 6: the text ends where ',' or ']' is expected"),
        ("{'a': 1}", "Line 1, column 2: a name in double quotes is expected here"),
        ('{"a": 1} x', "Line 1, column 10: nothing more is expected here"),
        ('{"a": 9007199254740993}', "Line 1, column 7: 9007199254740993 cannot be kept exactly in a browser"),
    ],
)
def test_a_text_that_is_not_json_keeps_its_tab_and_says_where(bare: Page, draw: Draw, text: str, said: str) -> None:
    draw(members(a={"type": "integer"}))
    bare.get_by_role("tab", name="JSON").click()
    area = bare.get_by_role("textbox", name="arguments as JSON")
    area.fill(text)
    bare.get_by_role("tab", name="Form").click()
    expect(bare.get_by_role("alert")).to_contain_text(said)
    expect(bare.get_by_role("tab", name="JSON")).to_have_attribute("aria-selected", "true")
    expect(area).to_have_attribute("aria-invalid", "true")
    expect(area).to_have_value(text)
    with pytest.raises(Exception, match="Line"):
        value_of(bare)
    area.fill('{"a": 5}')
    bare.get_by_role("tab", name="Form").click()
    expect(bare.get_by_label("a", exact=True)).to_have_value("5")


def test_an_integer_that_a_browser_would_round_is_refused(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": "integer"}))
    bare.get_by_label("a", exact=True).fill("9007199254740993")
    with pytest.raises(Exception, match="cannot be kept exactly"):
        value_of(bare)
    expect(bare.get_by_label("a", exact=True)).to_have_attribute("aria-invalid", "true")
    bare.get_by_label("a", exact=True).fill("9007199254740991")
    assert value_of(bare) == {"a": 9007199254740991}
    bare.get_by_label("a", exact=True).fill("many")
    assert value_of(bare) == {"a": "many"}  # for the check, or the server, to refuse


def test_messages_stand_at_their_fields(bare: Page, draw: Draw) -> None:
    schema = members(a={"type": "array", "items": members(b={"type": "integer"}), "default": []}, c={"type": "string"})
    draw(schema, value={"a": [{"b": 1}, {"b": 2}]})
    bare.evaluate(
        """() => { form.show([{path: ["a", 1, "b"], message: "too small"}, {path: ["x", 0], message: "who knows"},
                              {path: ["a"], message: "too many"}]); form.focusFirstError(); }"""
    )
    wrong, right = bare.get_by_label("b", exact=True).nth(1), bare.get_by_label("b", exact=True).nth(0)
    expect(wrong).to_have_attribute("aria-invalid", "true")
    expect(wrong).to_have_accessible_description("whole number too small")
    expect(right).not_to_have_attribute("aria-invalid", "true")
    expect(bare.get_by_role("group", name="a", exact=True).get_by_text("too many")).to_be_visible()
    expect(bare.get_by_role("alert")).to_have_text("2 values do not fit.x[0]: who knows")
    expect(right).to_be_focused()  # the first control of the list, which is the first that does not fit
    wrong.fill("3")
    expect(wrong).not_to_have_attribute("aria-invalid", "true")
    bare.evaluate("() => form.show([])")
    expect(bare.get_by_role("alert")).to_be_empty()


def test_a_field_that_was_asked_for_needs_its_value(bare: Page, draw: Draw) -> None:
    draw(members(a=nullable({"type": "integer"})))
    bare.get_by_label("give a").check()
    with pytest.raises(Exception, match="a value is needed"):
        value_of(bare)
    expect(bare.get_by_label("give a")).to_be_focused()


def test_an_alternative_that_was_chosen_needs_its_value(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": ["integer", "boolean"]}))
    bare.get_by_label("a: kind").select_option("whole number")
    with pytest.raises(Exception, match="a value is needed"):
        value_of(bare)
    expect(bare.get_by_role("textbox")).to_be_focused()


def test_what_was_left_out_is_given_once_it_is_touched(bare: Page, draw: Draw) -> None:
    schema = members(
        a={"prefixItems": [{"type": "string"}], "default": []},
        o=members(l={"type": "array", "items": {"type": "string"}, "default": []}),
    ) | {"required": ["a", "o"]}
    draw(schema, value={})
    assert value_of(bare) == {}
    bare.get_by_label("a 1").fill("x")
    bare.get_by_role("button", name="Add to l").click()
    assert value_of(bare) == {"a": ["x"], "o": {"l": [""]}}


def test_changes_are_told(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": "array", "items": {"type": "string"}, "default": []}))
    bare.evaluate(
        """() => { window.changes = 0; const schema = {properties: {a: {type: "array", items: {type: "string"}, default: []}}};
        window.form = schemaForm(schema, {onchange: () => { changes += 1; }}); document.querySelector("main").replaceChildren(form.root); }"""
    )
    bare.get_by_role("button", name="Add to a").click()
    assert bare.evaluate("() => changes") == 1
    bare.get_by_label("a 1", exact=True).fill("x")
    assert bare.evaluate("() => changes") == 2
    bare.get_by_role("button", name="Remove a 1").click()
    assert bare.evaluate("() => changes") == 3


def test_values_are_suggested(bare: Page, draw: Draw) -> None:
    draw(members(a={"type": "string"}, b={"type": "string"}))
    bare.evaluate(
        """() => { window.asked = []; const schema = {type: "object", properties: {a: {type: "string"}, b: {type: "string"}}};
        window.form = schemaForm(schema, {complete: async (...all) => { asked.push(all); return [`${all[0]}-${all[1]}1`]; }});
        document.querySelector("main").replaceChildren(form.root); }"""
    )
    bare.get_by_label("a", exact=True).fill("x")
    bare.get_by_label("b", exact=True).fill("y")
    expect(bare.locator("datalist option[value='b-y1']")).to_be_attached()
    assert bare.evaluate("() => asked.at(-1)") == ["b", "y", {"a": "x"}]


NESTED = members(
    name={"type": "string", "minLength": 2, "description": "What people call you."},
    age={"type": "integer", "minimum": 18, "maximum": 99},
    home=members(street={"type": "string"}, city={"enum": ["Berlin", "Paris"]}) | {"required": ["street", "city"]},
    tags={"type": "array", "items": {"type": "string"}, "default": []},
    boss=nullable({"$ref": "#/$defs/boss"}, default=None),
    shape=SHAPE,
) | {"required": ["name", "age", "home"], "$defs": {"boss": members(name={"type": "string"}) | {"required": ["name"]}}}


def test_every_kind_of_field_is_accessible_and_fits_the_page(bare: Page, draw: Draw) -> None:
    """JupyterLab's themes set one attribute, which is all that the colours of the lab go by."""
    long = "unbreakable" * 40
    kinds = {f"k{at}": {**each.values[0], "description": long} for at, each in enumerate(KINDS)}
    draw(members(**kinds, list={"type": "array", "items": {"$ref": "#/properties/k17"}, "default": [{}]}, **{long: {}}))
    for give in bare.get_by_label("give").all():
        give.check()
    for add in bare.get_by_role("button", name="Add to").all():
        add.click()
    bare.evaluate(
        """count => form.show([...Array.from({length: count}, (_, at) => ({path: [`k${at}`], message: "is not right"})),
                            {path: ["list"], message: "x".repeat(500)}, {path: ["nowhere"], message: "who knows"}])""",
        len(KINDS),
    )
    expect(bare.get_by_text("is not right")).to_have_count(len(KINDS))
    for dark in (False, True):
        bare.evaluate("dark => { document.body.dataset.jpThemeLight = String(!dark); }", dark)
        for tab in ("Form", "JSON"):
            bare.get_by_role("tab", name=tab).click()
            assert axe.serious(bare) == []
            assert bare.evaluate("() => document.documentElement.scrollWidth") <= 1000


def test_a_nested_form_by_keyboard_in_jupyterlab(open_cells: Open) -> None:
    nb = open_cells(
        "import labkit as lab, json\nfrom labkit.ui.form import ElicitationForm\nlab.connections()\n"
        f"form = ElicitationForm('Who are you?', json.loads({json.dumps(NESTED)!r}))\nform",
        "print(json.dumps(await form.answer))",
    )
    nb.page.set_viewport_size({"width": 1000, "height": 1000})
    nb.start_all()
    live = nb.output(0).get_by_role("region", name="The server asks")
    live.get_by_role("tab", name="Form").focus()

    def keys(*pressed: str) -> None:
        for key in pressed:
            nb.page.keyboard.type(key[1:]) if key.startswith("'") else nb.page.keyboard.press(key)

    keys("Tab", "Tab", "'Ada", "Tab", "'7", "Tab", "'Main", "Tab", "P")  # past the pane, which can be scrolled
    keys("Tab", "Enter", "'dd", "Tab", "Tab", "Tab", "Tab", "Tab", "Space", "Tab", "'Bo", "Tab", "'s", "Tab", "'2")
    expect(live.get_by_label("shape: kind")).to_have_value("1")
    expect(nb.cell(1)).to_be_attached()  # `dd` in a command mode of JupyterLab would have deleted a cell
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == []

    live.get_by_role("button", name="Accept").press("Enter")
    age = live.get_by_label("age", exact=True)
    expect(age).to_be_focused()
    expect(age).to_have_attribute("aria-invalid", "true")
    expect(age).to_have_accessible_description("whole number, 18 to 99 must be at least 18, is 7")
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == []
    over = live.evaluate(
        "e => [...e.querySelectorAll('*')].filter(x => x.offsetWidth > 1 && x.getBoundingClientRect().right > e.getBoundingClientRect().right)"
        ".map(x => x.outerHTML.slice(0, 100))"
    )
    assert over == []

    live.get_by_role("tab", name="JSON").click()
    text = live.get_by_role("textbox", name="answer as JSON")
    text.fill(text.input_value().replace('"age": 7', '"age": 36'))
    for theme in ("Dark", "Light"):
        nb.theme(theme)
        assert nb.findings(".labkit-panel") == []
    live.get_by_role("tab", name="Form").click()
    expect(age).to_have_value("36")
    live.get_by_role("button", name="Accept").press("Enter")
    expect(live.get_by_role("status")).to_have_text("accepted")
    given = {
        "name": "Ada",
        "age": 36,
        "home": {"street": "Main", "city": "Paris"},
        "tags": ["dd"],
        "boss": {"name": "Bo"},
        "shape": {"kind": "square", "a": 2},
    }
    expect(nb.output(1)).to_contain_text(json.dumps(given))
