"""The shop: customers, products, orders and what was ordered. Made up, and always the same. Knows nothing of MCP.

1,000 customers, 200 products, 5,000 orders with about 12,500 lines, from 2024-01-01 to 2025-12-31. Some cities and
some products are favourites, December is busy and a few customers never order, so that questions have answers.
Money is in cents: whole numbers add up in every database.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

SEED = 2026
CUSTOMERS, PRODUCTS, ORDERS = 1_000, 200, 5_000
FIRST_DAY, LAST_DAY = date(2024, 1, 1), date(2025, 12, 31)

# What both databases understand. {date} is DATE in PostgreSQL and TEXT in SQLite, which has no dates.
_TABLES = [
    """CREATE TABLE customers (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        email TEXT NOT NULL UNIQUE,
        city TEXT NOT NULL,
        country TEXT NOT NULL,
        joined {date} NOT NULL,
        phone TEXT)""",
    """CREATE TABLE products (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        category TEXT NOT NULL,
        price_cents INTEGER NOT NULL CHECK (price_cents > 0),
        discontinued BOOLEAN NOT NULL)""",
    """CREATE TABLE orders (
        id INTEGER PRIMARY KEY,
        customer_id INTEGER NOT NULL REFERENCES customers (id),
        ordered_on {date} NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('paid', 'shipped', 'returned', 'cancelled')))""",
    """CREATE TABLE order_items (
        order_id INTEGER NOT NULL REFERENCES orders (id),
        line INTEGER NOT NULL,
        product_id INTEGER NOT NULL REFERENCES products (id),
        quantity INTEGER NOT NULL CHECK (quantity > 0),
        unit_price_cents INTEGER NOT NULL,
        PRIMARY KEY (order_id, line))""",
]
_AFTER = [
    "CREATE INDEX customers_by_country ON customers (country, city)",
    "CREATE INDEX orders_by_customer ON orders (customer_id)",
    "CREATE INDEX orders_by_day ON orders (ordered_on)",
    "CREATE INDEX order_items_by_product ON order_items (product_id)",
    """CREATE VIEW order_totals AS
        SELECT o.id AS order_id, o.customer_id, o.ordered_on, o.status,
               SUM(i.quantity * i.unit_price_cents) AS total_cents
        FROM orders o JOIN order_items i ON i.order_id = o.id
        GROUP BY o.id, o.customer_id, o.ordered_on, o.status""",
]

_CITIES = [
    ("Berlin", "Germany"),
    ("Hamburg", "Germany"),
    ("Paris", "France"),
    ("Lyon", "France"),
    ("Madrid", "Spain"),
    ("Porto", "Portugal"),
    ("Oslo", "Norway"),
    ("Łódź", "Poland"),
    ("Nairobi", "Kenya"),
    ("Osaka", "Japan"),
    ("Toronto", "Canada"),
    ("São Paulo", "Brazil"),
]
_FIRST = (
    "Ada Alan Amara Barbara Chen Dana Edgar Frida Grace Hiro Ines Jonas Kofi "
    "Lena Mira Noor Omar Priya Rosa Sven Ture Zoë"
)
_LAST = (
    "Abe Bauer Costa Dubois Eriksen Fischer García Haddad Ito Jansen Kim "
    "Lovelace Mensah Nowak O'Brien Popov Quist Rossi Silva Turing"
)
_ADJECTIVES = "Small Large Light Heavy Red Blue Green Quiet Folding Wooden Steel Paper Electric Spare Travel"
_THINGS = {
    "kitchen": "Kettle Pan Knife Bowl Grater",
    "garden": "Spade Hose Bench Lantern Rake",
    "office": "Stapler Lamp Chair Folder Pen",
    "sport": "Ball Rope Mat Racket Bottle",
}


@dataclass(frozen=True)
class Shop:
    """All rows, by table, in an order in which they can be inserted."""

    rows: dict[str, list[tuple[Any, ...]]]


def statements(*, dates: bool) -> tuple[list[str], list[str]]:
    """The statements that make the tables, and those to run once they are filled."""
    kind = "DATE" if dates else "TEXT"
    return [statement.replace("{date}", kind) for statement in _TABLES], list(_AFTER)


@cache
def shop() -> Shop:
    """The shop; the same in every process, on every machine, with every Python."""
    # Only random() is promised to be the same in all versions of Python; randrange and choice are not.
    dice = random.Random(SEED)
    customers = list(_customers(dice))
    products = list(_products(dice))
    orders, items = _orders(dice, customers, products)
    return Shop({"customers": customers, "products": products, "orders": orders, "order_items": items})


def _below(dice: random.Random, end: int) -> int:
    return int(dice.random() * end)


def _early(dice: random.Random, end: int) -> int:
    """Below `end`, and more often near 0: favourites."""
    return int(dice.random() ** 2.2 * end)


def _customers(dice: random.Random) -> Iterator[tuple[Any, ...]]:
    first, last = _FIRST.split(), _LAST.split()
    for number in range(1, CUSTOMERS + 1):
        name = f"{first[_below(dice, len(first))]} {last[_below(dice, len(last))]}"
        city, country = _CITIES[_early(dice, len(_CITIES))]
        joined = FIRST_DAY - timedelta(days=_below(dice, 700))
        phone = f"+00 {_below(dice, 10**8):08d}" if dice.random() < 0.7 else None
        yield number, name, f"customer{number}@shop.example", city, country, joined, phone


def _products(dice: random.Random) -> Iterator[tuple[Any, ...]]:
    things = [(thing, category) for category, names in _THINGS.items() for thing in names.split()]
    adjectives = _ADJECTIVES.split()
    for number in range(1, PRODUCTS + 1):
        thing, category = things[number % len(things)]
        adjective = adjectives[(number // len(things)) % len(adjectives)]
        price = 199 + _early(dice, 300) * 50
        yield number, f"{adjective} {thing}", category, price, dice.random() < 0.08


def _orders(
    dice: random.Random, customers: list[tuple[Any, ...]], products: list[tuple[Any, ...]]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    days = (LAST_DAY - FIRST_DAY).days + 1
    orders: list[tuple[Any, ...]] = []
    items: list[tuple[Any, ...]] = []
    for number in range(1, ORDERS + 1):
        day = FIRST_DAY + timedelta(days=_below(dice, days))
        if dice.random() < 0.08:
            day = day.replace(month=12)
        chance = dice.random()
        status = (
            "cancelled" if chance < 0.05 else "returned" if chance < 0.12 else "paid" if chance < 0.25 else "shipped"
        )
        customer = customers[_early(dice, len(customers))]
        orders.append((number, customer[0], day, status))
        for line in range(1, 2 + _below(dice, 4)):
            product = products[_early(dice, len(products))]
            items.append((number, line, product[0], 1 + _early(dice, 6), product[3]))
    return orders, items
