"""The states of the USA, as far as weather is concerned: one place in each, and the forecast office in charge."""

from __future__ import annotations

from typing import NamedTuple


class State(NamedTuple):
    code: str
    name: str
    city: str
    latitude: float
    longitude: float
    office: str
    """Identifier of a forecast office of the National Weather Service in or near the state."""
    time_zone: str


_TABLE = """
AL Alabama|Birmingham|33.52|-86.80|BMX|America/Chicago
AK Alaska|Anchorage|61.22|-149.90|AFC|America/Anchorage
AZ Arizona|Phoenix|33.45|-112.07|PSR|America/Phoenix
AR Arkansas|Little Rock|34.75|-92.29|LZK|America/Chicago
CA California|Sacramento|38.58|-121.49|STO|America/Los_Angeles
CO Colorado|Denver|39.74|-104.99|BOU|America/Denver
CT Connecticut|Hartford|41.77|-72.67|BOX|America/New_York
DE Delaware|Dover|39.16|-75.52|PHI|America/New_York
DC District of Columbia|Washington|38.90|-77.04|LWX|America/New_York
FL Florida|Miami|25.76|-80.19|MFL|America/New_York
GA Georgia|Atlanta|33.75|-84.39|FFC|America/New_York
HI Hawaii|Honolulu|21.31|-157.86|HFO|Pacific/Honolulu
ID Idaho|Boise|43.62|-116.20|BOI|America/Boise
IL Illinois|Chicago|41.88|-87.63|LOT|America/Chicago
IN Indiana|Indianapolis|39.77|-86.16|IND|America/Indiana/Indianapolis
IA Iowa|Des Moines|41.59|-93.62|DMX|America/Chicago
KS Kansas|Wichita|37.69|-97.34|ICT|America/Chicago
KY Kentucky|Louisville|38.25|-85.76|LMK|America/New_York
LA Louisiana|New Orleans|29.95|-90.07|LIX|America/Chicago
ME Maine|Portland|43.66|-70.26|GYX|America/New_York
MD Maryland|Baltimore|39.29|-76.61|LWX|America/New_York
MA Massachusetts|Boston|42.36|-71.06|BOX|America/New_York
MI Michigan|Detroit|42.33|-83.05|DTX|America/Detroit
MN Minnesota|Minneapolis|44.98|-93.27|MPX|America/Chicago
MS Mississippi|Jackson|32.30|-90.18|JAN|America/Chicago
MO Missouri|Kansas City|39.10|-94.58|EAX|America/Chicago
MT Montana|Billings|45.78|-108.50|BYZ|America/Denver
NE Nebraska|Omaha|41.26|-95.93|OAX|America/Chicago
NV Nevada|Reno|39.53|-119.81|REV|America/Los_Angeles
NH New Hampshire|Manchester|42.99|-71.46|GYX|America/New_York
NJ New Jersey|Trenton|40.22|-74.76|PHI|America/New_York
NM New Mexico|Albuquerque|35.08|-106.65|ABQ|America/Denver
NY New York|New York|40.71|-74.01|OKX|America/New_York
NC North Carolina|Raleigh|35.78|-78.64|RAH|America/New_York
ND North Dakota|Bismarck|46.81|-100.78|BIS|America/Chicago
OH Ohio|Cleveland|41.50|-81.69|CLE|America/New_York
OK Oklahoma|Oklahoma City|35.47|-97.52|OUN|America/Chicago
OR Oregon|Portland|45.52|-122.68|PQR|America/Los_Angeles
PA Pennsylvania|Pittsburgh|40.44|-79.99|PBZ|America/New_York
RI Rhode Island|Providence|41.82|-71.41|BOX|America/New_York
SC South Carolina|Columbia|34.00|-81.03|CAE|America/New_York
SD South Dakota|Sioux Falls|43.55|-96.73|FSD|America/Chicago
TN Tennessee|Nashville|36.16|-86.78|OHX|America/Chicago
TX Texas|Austin|30.27|-97.74|EWX|America/Chicago
UT Utah|Salt Lake City|40.76|-111.89|SLC|America/Denver
VT Vermont|Burlington|44.48|-73.21|BTV|America/New_York
VA Virginia|Richmond|37.54|-77.44|AKQ|America/New_York
WA Washington|Seattle|47.61|-122.33|SEW|America/Los_Angeles
WV West Virginia|Charleston|38.35|-81.63|RLX|America/New_York
WI Wisconsin|Milwaukee|43.04|-87.91|MKX|America/Chicago
WY Wyoming|Cheyenne|41.14|-104.82|CYS|America/Denver
"""


def _states() -> dict[str, State]:
    states: dict[str, State] = {}
    for line in _TABLE.strip().splitlines():
        code, rest = line.split(" ", 1)
        name, city, latitude, longitude, office, time_zone = rest.split("|")
        states[code] = State(code, name, city, float(latitude), float(longitude), office, time_zone)
    return states


STATES = _states()


def nearest(latitude: float, longitude: float, within_degrees: float = 8.0) -> State | None:
    """The state whose place is nearest, or None when that is too far away to be in the USA."""

    # Degrees of longitude are shorter in the north; half is near enough for "which office answers".
    def distance(state: State) -> float:
        return ((state.latitude - latitude) ** 2 + ((state.longitude - longitude) / 2) ** 2) ** 0.5

    found = min(STATES.values(), key=distance)
    return found if distance(found) <= within_degrees else None
