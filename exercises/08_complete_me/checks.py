"""Checks of 08_complete_me. Countries, cities and what is typed come from the seed."""

import random

from labkit.grading.checks import check, expect, expect_fault, expect_names, expect_true
from labkit.grading.submission import Submission
from labkit.grading.talk import HANDSHAKE, Frame, Session

PROMPT: Frame = {"type": "ref/prompt", "name": "plan_trip"}
TEMPLATE: Frame = {"type": "ref/resource", "uri": "atlas://{country}/{city}"}
CITIES = {"Japan": ["Kyoto", "Tokyo"], "Norway": ["Bergen", "Oslo"], "Portugal": ["Lisbon", "Porto"]}


def name(rng: random.Random, begins: str = "") -> str:
    """A name that no answer can know."""
    return (begins + "".join(rng.choices("bcdfghjklmnpqrstvwxz", k=8))).capitalize()


def complete(session: Session, argument: str, typed: str = "", ref: Frame = PROMPT, /, **chosen: str) -> Frame:
    """The completion; with `chosen` as what is filled in already."""
    params: Frame = {"ref": ref, "argument": {"name": argument, "value": typed}}
    if chosen:
        params["context"] = {"arguments": chosen}
    return session.request("completion/complete", params)["completion"]


def add(session: Session, country: str, *cities: str) -> None:
    said = session.call("add_cities", country=country, cities=list(cities)).text
    expect(said, f"{country} has {len(cities)} cities", f"add_cities, which was to stay ({session})")


@check(
    "countries begin with what is typed",
    points=2,
    reason="A menu that forgets what was typed, or wants the right letter case, is no help.",
    about="complete",
)
def test_begins(submission: Submission, rng: random.Random) -> None:
    hello = submission.session("memory", HANDSHAKE).hello
    expect(hello["serverInfo"]["name"], "atlas", "the server's name, which was to stay")
    for session in submission.everywhere():
        begins = name(rng)
        countries = sorted(begins + name(rng).lower() for _ in range(5))
        for country in [*rng.sample(countries, 5), name(rng, "x" + begins.lower())]:
            add(session, country, name(rng))
        for typed in (begins, begins.lower(), begins.upper()):
            expect(complete(session, "country", typed).get("values"), countries, f"countries for {typed} ({session})")
        expect(complete(session, "country", countries[0]).get("values"), countries[:1], "one that is typed to its end")
        expect(complete(session, "country", name(rng)).get("values"), [], "countries for what nothing begins with")
        expect_names(complete(session, "country").get("values", []), CITIES, "countries when nothing is typed")


@check(
    "cities suit the country that was chosen",
    points=3,
    reason="What has been filled in already comes along as context; without it the menu offers Tokyo in Norway.",
    about="complete",
)
def test_chosen(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for known, cities in CITIES.items():
            expect(complete(session, "city", country=known).get("values"), cities, f"cities of {known} ({session})")
        begins, here, there = name(rng), name(rng), name(rng)
        cities = sorted(begins + name(rng).lower() for _ in range(3))
        add(session, here, *rng.sample(cities, 3), name(rng))
        add(session, there, begins + name(rng).lower())
        found = complete(session, "city", begins.lower(), country=here, wishes="sun")
        expect(found.get("values"), cities, f"cities for {begins.lower()} with {here} chosen ({session})")
        nowhere = complete(session, "city", country=name(rng))
        expect(nowhere.get("values"), [], f"cities of a country that is not there ({session})")


@check(
    "without a country, all cities, each once",
    points=2,
    reason="A user may begin with the city, and a host may send the empty field along.",
    about="complete",
)
def test_anywhere(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        begins = name(rng)
        cities = sorted(begins + name(rng).lower() for _ in range(4))
        add(session, name(rng), *cities[:3])
        add(session, name(rng), *cities[2:])
        for chosen in ({}, {"country": ""}, {"wishes": "sun"}):
            found = complete(session, "city", begins, **chosen)
            expect(found.get("values"), cities, f"cities for {begins} with {chosen or 'nothing'} chosen ({session})")
            expect([found.get("total"), bool(found.get("hasMore"))], [4, False], "total and hasMore of four cities")


@check(
    "the template completes like the prompt",
    points=1,
    reason="The variables of a template are arguments too, and its reference is another type.",
    about="complete",
)
def test_template(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        country, city = name(rng), name(rng)
        add(session, country, city)
        expect(complete(session, "country", country[:5], TEMPLATE).get("values"), [country], f"countries ({session})")
        expect(complete(session, "city", "", TEMPLATE, country=country).get("values"), [city], f"cities ({session})")
        uri = TEMPLATE["uri"].format(country=country, city=city)
        expect(session.read(uri).text, f"{city}, {country}", f"what is read at {uri} ({session})")
        fault = expect_fault(-32602, "a city that is not there", session.read, f"atlas://{city}/{country}")
        expect(fault.message, f"there is no {country} in {city}", "the error for a city that is not there")


@check(
    "at most 100 values, and the truth about the rest",
    points=3,
    reason="The protocol allows no more. Whoever is not told that there is more believes to see everything.",
    about="complete",
)
def test_limit(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        for number in (99, 100, 101, rng.randint(120, 180)):
            country = name(rng)
            cities = sorted(f"{name(rng)}{each}" for each in range(number))
            add(session, country, *rng.sample(cities, number))
            found = complete(session, "city", country=country)
            expect(len(found.get("values", [])), min(number, 100), f"values for {number} cities ({session})")
            expect(found["values"], cities[:100], f"the values for {number} cities, sorted before they are cut")
            expect(found.get("total"), number, f"total for {number} cities")
            expect(bool(found.get("hasMore")), number > 100, f"hasMore for {number} cities")


@check(
    "nothing for other arguments",
    points=1,
    reason="A host asks for each field of a form. Nothing to offer is an answer, and no error.",
    about="complete",
)
def test_others(submission: Submission, rng: random.Random) -> None:
    for session in submission.everywhere():
        expect_true("completions" in session.hello["capabilities"], f"completions is no capability ({session})")
        for argument in ("wishes", name(rng).lower()):
            expect(complete(session, argument).get("values"), [], f"values for {argument} ({session})")
        expect(session.prompts()["plan_trip"].get("title"), "Plan a trip", "the prompt's title, which was to stay")
        for wishes in ({}, {"wishes": "No rain."}):
            text = session.prompt("plan_trip", country="Norway", city="Oslo", **wishes).text
            wanted = " ".join(["Plan a trip to Oslo in Norway.", *wishes.values()])
            expect(text, wanted, "the prompt, which was to stay")
