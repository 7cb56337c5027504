"""fails: begins, chosen
why: Nobody types capital letters into a menu.
"""

import mcp_types as types
from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError

CITIES = {"Japan": ["Tokyo", "Kyoto"], "Norway": ["Oslo", "Bergen"], "Portugal": ["Lisbon", "Porto"]}
LIMIT = 100

server = MCPServer("atlas", log_level="ERROR")


@server.tool()
def add_cities(country: str, cities: list[str]) -> str:
    """Add cities to a country, which may be new."""
    CITIES.setdefault(country, []).extend(cities)
    return f"{country} has {len(CITIES[country])} cities"


@server.prompt(title="Plan a trip")
def plan_trip(country: str, city: str, wishes: str = "") -> str:
    """Plan a trip to a city."""
    return f"Plan a trip to {city} in {country}. {wishes}".strip()


@server.resource("atlas://{country}/{city}")
def page(country: str, city: str) -> str:
    """The page of a city."""
    if city not in CITIES.get(country, []):
        raise ResourceNotFoundError(f"there is no {city} in {country}")
    return f"{city}, {country}"


@server.completion()
async def complete(
    ref: types.PromptReference | types.ResourceTemplateReference,
    argument: types.CompletionArgument,
    context: types.CompletionContext | None,
) -> types.Completion | None:
    """Values for what the user types."""
    if argument.name == "country":
        offers = set(CITIES)
    elif argument.name == "city":
        country = ((context.arguments if context else None) or {}).get("country")
        countries = [country] if country else CITIES
        offers = {city for name in countries for city in CITIES.get(name, [])}
    else:
        return None
    found = sorted(value for value in offers if value.startswith(argument.value))
    return types.Completion(values=found[:LIMIT], total=len(found), has_more=len(found) > LIMIT)


if __name__ == "__main__":
    server.run()
