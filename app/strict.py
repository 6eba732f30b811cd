"""Models of what comes in as JSON: nothing is guessed, and nothing passed over."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class StrictModel(BaseModel):
    """Refuses fields that it does not have, and values of another type: 0 is not false, "1" is not 1."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _whole_numbers(cls, data: Any) -> Any:
        # JSON has one kind of number, and 1.0 is a whole one (JSON Schema 2020-12, section 6.1.1).
        if not isinstance(data, dict):
            return data
        return {
            name: int(value) if isinstance(value, float) and value.is_integer() else value
            for name, value in data.items()
        }
