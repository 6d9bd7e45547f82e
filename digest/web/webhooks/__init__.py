"""Reports of bounces, complaints and opt-outs that mail providers send: proof, then reading.

Each reads its provider's JSON into `domain.reports`; what follows is `services.reports`.
"""

from starlette.routing import Route

from digest.web.webhooks import postmark, sendgrid, ses

routes: list[Route] = [*ses.routes, *sendgrid.routes, *postmark.routes]
