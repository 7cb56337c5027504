"""What the tools of the weather server return: each field is in the output schema, as its description says it."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Alert(BaseModel):
    """One active weather alert."""

    event: str = Field(description="For example Winter Storm Warning.")
    severity: str = Field(description="Extreme, Severe, Moderate, Minor or Unknown.")
    urgency: str
    areas: str = Field(description="Where it applies.")
    headline: str | None
    description: str | None
    instruction: str | None = Field(description="What to do.")
    expires: str = Field(description="ISO 8601.")


class Alerts(BaseModel):
    """The active alerts of one state."""

    state: str = Field(description="Two-letter code.")
    state_name: str
    alerts: list[Alert]


class Period(BaseModel):
    """Weather of one day or night."""

    name: str = Field(description="For example Tonight or Sunday.")
    temperature: float
    unit: str = Field(description="F or C.")
    precipitation_percent: float | None
    wind: str
    summary: str


class Forecast(BaseModel):
    """The forecast for one point."""

    place: str = Field(description="Nearest city and state.")
    time_zone: str
    periods: list[Period]


class Current(BaseModel):
    """What the nearest station measured last. Null is what it did not measure."""

    station: str = Field(description="Name of the station.")
    observed: str = Field(description="ISO 8601. Minutes to hours ago: say when.")
    summary: str | None
    temperature_celsius: float | None
    humidity_percent: float | None
    wind_kmh: float | None
    wind_degrees: float | None = Field(description="Where the wind comes from: 0 is north, 90 is east.")


class Source(BaseModel):
    """Where the weather comes from."""

    url: str = Field(description="Address of the API.")
    local: bool = Field(description="Whether it is the one of the lab, which takes orders at URL/_control.")
