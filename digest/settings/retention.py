"""The settings of retention: for how many days each kind of row is kept."""

from typing import Annotated

from pydantic import Field

from digest.settings.base import Section

Days = Annotated[int, Field(ge=0, le=36_500)]


class RetentionSettings(Section):
    """For how many days each kind of row is kept; 0: for ever. See docs/retention.md."""

    papers_days: Days = 400
    least_papers: int = Field(default=20_000, ge=1_000)
    signals_days: Days = 30
    deliveries_days: Days = 90
    bounces_days: Days = 400
    pending_days: Days = 30
    invitations_days: Days = 90
    batches_days: Days = 400
    hour: int = Field(default=3, ge=0, le=23)
