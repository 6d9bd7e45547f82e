"""More like this, less like this: a page with one button, and what follows on it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from digest.domain.feedback import Opinion
from digest.domain.papers import Paper, PaperId
from digest.errors import NotFound
from digest.mail.excerpts import plain
from digest.mail.tokens import Purpose
from digest.services import feedback
from digest.web import numbers
from digest.web.holders import CHANNEL, Holder, held

_LARGEST_ID = 2**31 - 1
_OTHER = {Opinion.MORE: Opinion.LESS, Opinion.LESS: Opinion.MORE}


@held(Purpose.FEEDBACK)
def feedback_more(request: Request, holder: Holder) -> Response:
    """More like this paper."""
    return _voted(request, holder, Opinion.MORE)


@held(Purpose.FEEDBACK)
def feedback_less(request: Request, holder: Holder) -> Response:
    """Less like this paper."""
    return _voted(request, holder, Opinion.LESS)


@held(Purpose.FEEDBACK)
def feedback_undo(request: Request, holder: Holder) -> Response:
    """Forget what was said of a paper."""
    desk = holder.desk
    try:
        paper = _paper(request, holder)
        feedback.withdraw(desk.engine, holder.person.id, paper.id)
    except NotFound:
        return _no_paper(holder)
    return _page(holder, "feedback_undone.html", paper)


def _voted(request: Request, holder: Holder, opinion: Opinion) -> Response:
    desk = holder.desk
    try:
        paper = _paper(request, holder)
        if request.method != "POST":
            return _page(holder, "feedback.html", paper, opinion)
        feedback.record(
            desk.engine, holder.person.id, paper.id, opinion, at=holder.now, channel=CHANNEL
        )
    except NotFound:
        return _no_paper(holder)
    return _page(holder, "feedback_given.html", paper, opinion)


def _paper(request: Request, holder: Holder) -> Paper:
    number: int = request.path_params["paper_id"]
    if not 0 < number <= _LARGEST_ID:
        raise NotFound("no paper has such a number")
    return feedback.paper_now(holder.desk.engine, PaperId(number))


def _page(holder: Holder, template: str, paper: Paper, opinion: Opinion = Opinion.MORE) -> Response:
    return holder.desk.pages.response(
        template,
        base=f"/feedback/{holder.token}/{paper.id}",
        title=plain(paper.title),
        opinion=opinion.value,
        other=_OTHER[opinion].value,
    )


def _no_paper(holder: Holder) -> Response:
    text = "This paper is so old that it is not kept any more, so there is nothing to learn of it."
    return holder.desk.pages.message(
        "This paper is gone", text, 404, links=[("/", "To the front page")]
    )


numbers.offer()
routes = [
    Route("/feedback/{token}/{paper_id:number}/more", feedback_more, methods=["GET", "POST"]),
    Route("/feedback/{token}/{paper_id:number}/less", feedback_less, methods=["GET", "POST"]),
    Route("/feedback/{token}/{paper_id:number}/undo", feedback_undo, methods=["POST"]),
]
