"""A type of event, and what its data is: checked by the type checker, and when it is sent or
consumed."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ostinato.core.cloudevents.event import MAX_TYPE, text
from ostinato.errors import InvalidInput, Problem, UsageError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")


class EventType(Generic[T]):
    """``PLACED = EventType("ORDER_PLACED", Order)``. A stream is a module, or a class, of these.

    ``@app.consumer(PLACED)`` takes the data as its argument annotated ``Order``;
    ``app.producer("kafka").send(PLACED, order)`` sends nothing else. ``model`` is whatever pydantic
    can check: a model, a dataclass, ``dict[str, int]``.
    """

    def __init__(self, name: str, model: type[T], *, about: str = "") -> None:
        self.name = text(name, "type", MAX_TYPE)
        self.model = model
        self.about = about

    @cached_property
    def _adapter(self) -> TypeAdapter[T]:
        from pydantic import TypeAdapter

        return TypeAdapter(self.model)

    def encode(self, data: Any) -> Any:
        """The data as JSON values, in the model's form. Raises ``InvalidInput`` for what is none of
        it, also for a model that was made without being checked."""
        if not isinstance(data, dict | list):
            self.decode(data)
            data = self._adapter.dump_python(data, mode="json", by_alias=True, warnings=False)
        return self._adapter.dump_python(self.decode(data), mode="json", by_alias=True)

    def decode(self, data: Any) -> T:
        """The model, of JSON values. Raises ``InvalidInput``."""
        from pydantic import ValidationError

        try:
            return self._adapter.validate_python(data)
        except ValidationError as error:
            problems = tuple(
                Problem(one["msg"], ".".join(map(str, ("data", *one["loc"]))))
                for one in error.errors()
            )
            told = "; ".join(map(str, problems))
            raise InvalidInput(f"no data of {self.name}: {told}", problems=problems) from None

    def schema(self) -> dict[str, Any]:
        """JSON Schema of the data."""
        return self._adapter.json_schema(by_alias=True)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"EventType({self.name!r}, {self.model!r})"


def refuse_untyped(given: object, where: str) -> None:
    """What is no type of an event: ``where`` it was given, as it is written. Raises
    ``UsageError``."""
    if isinstance(given, str | EventType):
        return
    hint = "write a text, or an EventType"
    if isinstance(given, list | tuple | set | frozenset):
        hint += "; of several, one for each, or a text with a star for those alike (ORDER_*)"
    raise UsageError(f"{where}: {given!r:.80} is no type of an event; {hint}")
