"""Makes the data that the benchmarks read: orders as NDJSON, about 280 bytes each, the same on every machine."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

_NAMES = tuple(
    f"{before}{first} {last}{after}"
    for first in ("Alice", "Bruno", "Chidi", "Dagný", "Emre", "Fatima", "Grace")
    for last in ("Meyer", "Costa", "Okafor", "Jónsdóttir", "Çelik", "Zahra", "Hopper", "Li")
    for before, after in (("", ""), (" ", " "), ("  ", ""), ("", " "))
)
_CITIES = (
    "Hamburg",
    " Porto",
    "Lagos ",
    " Reykjavík ",
    "İzmir",
    "Rabat",
    "New York ",
    " San José",
    "Lyon",
    "Köln ",
    "Oslo",
)
_ITEMS = tuple(
    f'{{"sku":"{name}-{number}","quantity":{number % 4 + 1},"price":{number}.{number % 10}5}}'
    for number in range(10, 23)
    for name in ("pen", "ink", "mug")
)
_NOTES = ("", " please ring twice", "gift ", "leave at the neighbour's ", "  ", "fragile, this side up")
_CURRENCIES = ("eur", "usd ", " ngn", "isk", "try")

# About 5.6 MB: memory stays small however many orders there are.
_ORDERS_A_PIECE = 20_000


def orders_file(cache_folder: Path, count: int) -> Path:
    """Return a file of ``count`` orders, made on the first call and found again on later ones.

    It appears under its name only when it is whole. The first orders of a larger file are those of a smaller one.
    """
    path = cache_folder / f"orders-{count}.ndjson"
    if path.exists():
        return path
    cache_folder.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as stream:
        for start in range(0, count, _ORDERS_A_PIECE):
            piece = "".join(order_lines(start, min(start + _ORDERS_A_PIECE, count)))
            stream.write(piece.encode())
    return unfinished.rename(path)


def order_lines(start: int, stop: int) -> Iterator[str]:
    """Yield the orders ``start`` to ``stop`` as lines, each made of its number alone."""
    for number in range(start, stop):
        # Knuth's multiplicative hash: neighbours differ in every field, and no state goes from one to the next.
        mixed = number * 2_654_435_761 & 0xFFFF_FFFF
        first, second = mixed % 39, (mixed >> 7) % 39
        day, hour, minute = (mixed >> 3) % 28 + 1, (mixed >> 11) % 24, (mixed >> 16) % 60
        yield (
            f'{{"id":{number},"customer":"C{mixed % 900_000 + 100_000}","name":"{_NAMES[mixed % 224]}",'
            f'"city":"{_CITIES[mixed % 11]}","items":[{_ITEMS[first]},{_ITEMS[second]}],'
            f'"total":{mixed % 99_000 / 100},"currency":"{_CURRENCIES[mixed % 5]}",'
            f'"ordered_at":"2026-03-{day:02}T{hour:02}:{minute:02}:00Z","express":{"true" if mixed & 64 else "false"},'
            f'"notes":"{_NOTES[(mixed >> 5) % 6]}"}}\n'
        )


def main(arguments: list[str]) -> int:
    """Make the file and print its path."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cache_folder", type=Path)
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    options = parser.parse_args(arguments)
    print(orders_file(options.cache_folder, options.count))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
