"""Which of an author's revisions is the newest."""

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import aliased

from app.models import Annotation


def is_newest() -> ColumnElement[bool]:
    """A condition: no later revision of the annotation's author and example is there.

    As the greatest revision, which each planner finds by index; NOT EXISTS has been seen to become a join of
    all that a person ever said with itself.
    """
    own = aliased(Annotation)
    greatest = (
        select(func.max(own.revision))
        .where(own.example_id == Annotation.example_id, own.user_id == Annotation.user_id)
        .scalar_subquery()
    )
    return Annotation.revision == greatest
