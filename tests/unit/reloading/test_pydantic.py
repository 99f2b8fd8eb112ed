"""Models of pydantic, which is written in Rust and holds the class that it was made for."""

from pathlib import Path
from typing import Any

import pytest

from plugline import Host

pytest.importorskip("pydantic")

MODELS = """
import pydantic

class Item(pydantic.BaseModel):
    name: str = "a"

class Order(pydantic.BaseModel):
    item: Item = Item()
"""


def test_models_are_checked_by_their_new_definition_and_give_the_class_that_everybody_holds(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "models.py").write_text(MODELS)
    with Host(folder) as host:
        models: Any = host["models"].load()
        item = models.Item
        (folder / "models.py").write_text(MODELS.replace('name: str = "a"', 'name: str = "a"\n    price: int = 5'))
        assert host.reload("models").ok
        assert models.Item is item
        assert type(item.model_validate({"price": "7"})) is item
        assert models.Order(item=item(price=3)).item.price == 3
        assert models.Order.model_validate({"item": {"price": "9"}}).model_dump() == {"item": {"name": "a", "price": 9}}
